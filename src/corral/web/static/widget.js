// Try a model on its page. The form follows from what the hub says of the model (GET /inference/OWNER/NAME).

const root = document.querySelector("[data-widget]");
const model = JSON.parse(root.dataset.widget);
const make = (tag, props = {}, ...children) => {
  const { data, aria, ...rest } = props;
  const node = Object.assign(document.createElement(tag), rest);
  for (const [key, value] of Object.entries(aria ?? {})) node.setAttribute(`aria-${key}`, value);
  node.append(...children.filter((child) => child != null));
  return node;
};

const form = make("form");
const fields = make("div", { className: "widget-fields" });
const examples = make("div", { className: "examples" });
const run = make("button", { textContent: model.input === "chat" ? "Send" : "Run" });
const stop = make("button", { type: "button", className: "plain", textContent: "Stop", hidden: true });
const status = make("p", { className: "status", role: "status" });
const progress = make("progress", { max: 1, hidden: true, aria: { label: "Loading" } });
const output = make("div", { className: "result", aria: { live: "polite" } });
let going = null;

// --- forms, one for each kind of input ---------------------------------------------------------------------------

function area(label, rows = 3) {
  const field = make("textarea", { rows, aria: { label }, placeholder: label });
  field.addEventListener("keydown", (event) => {
    const chatting = model.input === "chat";
    if (event.key === "Enter" && (chatting ? !event.shiftKey : event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  return field;
}

const kinds = {
  similarity() {
    const source = area("Source sentence", 2);
    const rows = make("div");
    const row = (text = "") => {
      const number = rows.children.length + 1;
      const field = make("input", { value: text, aria: { label: `Sentence ${number}` }, placeholder: "A sentence to compare" });
      const remove = make("button", { type: "button", className: "quiet", textContent: "×", aria: { label: `Remove sentence ${number}` } });
      const line = make("div", { className: "sentence-row" }, field, remove);
      remove.addEventListener("click", () => rows.children.length > 1 && line.remove());
      rows.append(line);
      return field;
    };
    const more = make("button", { type: "button", className: "link", textContent: "+ Add a sentence" });
    more.addEventListener("click", () => row().focus());
    fields.append(source, make("p", { className: "hint", textContent: "Compare it with" }), rows, more);
    return {
      fill({ inputs }) {
        source.value = inputs.source_sentence;
        rows.replaceChildren();
        inputs.sentences.forEach((text) => row(text));
      },
      label: ({ inputs }) => inputs.source_sentence,
      body() {
        const sentences = [...rows.querySelectorAll("input")].map((one) => one.value.trim()).filter(Boolean);
        if (!source.value.trim() || !sentences.length) throw new Error("Write a sentence, and at least one to compare it with.");
        this.sentences = sentences;
        return json({ inputs: { source_sentence: source.value, sentences } });
      },
      show(scores) {
        bars(this.sentences.map((label, i) => ({ label, score: scores[i] })), (score) => score.toFixed(3));
      },
    };
  },

  text() {
    const field = area("Text", 3);
    fields.append(field);
    return {
      fill: ({ inputs }) => (field.value = Array.isArray(inputs) ? inputs[0] : inputs),
      label: ({ inputs }) => (Array.isArray(inputs) ? inputs[0] : inputs),
      body() {
        if (!field.value.trim()) throw new Error("Write a text.");
        return json({ inputs: field.value });
      },
      show(vectors) {
        let vector = vectors;
        while (Array.isArray(vector[0])) vector = vector[0];
        const text = vector.map((x) => x.toFixed(4)).join(", ");
        output.replaceChildren(
          make("p", { className: "hint", textContent: `${vector.length} numbers` }),
          make("div", { className: "numbers", textContent: `[${text}]`, tabIndex: 0, role: "region", aria: { label: "The vector" } }),
        );
      },
    };
  },

  image() {
    let picture = null;
    const file = make("input", { type: "file", accept: "image/*" });
    const words = make("span", { textContent: "Drop a picture here, or choose one" });
    const drop = make("label", { className: "drop" }, file, words);
    const take = (blob) => {
      if (!blob) return;
      picture = blob;
      const image = make("img", { alt: "The picture to classify", src: URL.createObjectURL(blob) });
      drop.replaceChildren(file, image);
    };
    const chosen = (blob) => {
      take(blob);
      form.requestSubmit();
    };
    file.addEventListener("change", () => file.files[0] && chosen(file.files[0]));
    for (const kind of ["dragenter", "dragover"]) {
      drop.addEventListener(kind, (event) => {
        event.preventDefault();
        drop.classList.add("over");
      });
    }
    for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
    drop.addEventListener("drop", (event) => {
      event.preventDefault();
      chosen([...event.dataTransfer.files].find((one) => one.type.startsWith("image/")));
    });
    addEventListener("paste", (event) => {
      const pasted = [...event.clipboardData.files].find((one) => one.type.startsWith("image/"));
      if (pasted) chosen(pasted);
    });
    fields.append(drop);
    return {
      async fill({ image }) {
        const answer = await fetch(address(image));
        if (!answer.ok) throw new Error("This example could not be loaded.");
        take(await answer.blob());
      },
      label: ({ title, image }) => title ?? image.split("/").pop(),
      picture: ({ image }) => address(image),
      body() {
        if (!picture) throw new Error("Choose a picture first.");
        return { body: picture, headers: { "Content-Type": picture.type || "application/octet-stream" } };
      },
      show: (found) => bars(found, (score) => `${(score * 100).toFixed(1)} %`),
    };
  },

  prompt() {
    const field = area("Text to go on from", 4);
    fields.append(field);
    return {
      fill: ({ inputs }) => (field.value = inputs),
      label: ({ inputs }) => inputs,
      body() {
        if (!field.value) throw new Error("Write how the text begins.");
        const said = make("div", { className: "said", tabIndex: 0, textContent: field.value });
        output.replaceChildren(said);
        this.said = said;
        return json({ inputs: field.value, parameters: parameters(), stream: true });
      },
      token(event) {
        if (event.error) throw new Error(event.error);
        if (event.token && !event.token.special) this.said.append(event.token.text);
        return event.token ? 1 : 0;
      },
    };
  },

  chat() {
    const field = area("Say something", 2);
    const talk = make("div", { className: "talk", tabIndex: 0, role: "log", aria: { label: "Conversation" } });
    const clear = make("button", { type: "button", className: "link", textContent: "Begin again", hidden: true });
    let messages = [];
    const say = (text, mine) => {
      const said = make("div", { className: mine ? "said mine" : "said", textContent: text });
      talk.append(said);
      said.scrollIntoView({ block: "nearest" });
      return said;
    };
    clear.addEventListener("click", () => {
      going?.abort();
      messages = [];
      talk.replaceChildren();
      clear.hidden = true;
      examples.hidden = false;
      field.focus();
    });
    fields.append(talk, field, clear);
    return {
      address: model.chat_url,
      fill: ({ messages: given }) => (field.value = given.at(-1).content),
      label: ({ messages: given }) => given.at(-1).content,
      body() {
        const text = field.value.trim();
        if (!text) throw new Error("Write something first.");
        messages.push({ role: "user", content: text });
        say(text, true);
        field.value = "";
        this.said = say("…", false);
        this.text = "";
        clear.hidden = false;
        examples.hidden = true;
        return json({ model: model.name, messages, stream: true, ...chatParameters() }, { "x-wait-for-model": "false" });
      },
      token(event) {
        if (event.error) throw new Error(event.error.message ?? event.error);
        const piece = event.choices?.[0]?.delta?.content;
        if (!piece) return 0;
        this.text += piece;
        this.said.textContent = this.text;
        talk.scrollTop = talk.scrollHeight;
        return 1;
      },
      end(failed) {
        if (failed && !this.text) {
          this.said.remove();
          talk.lastElementChild?.remove();
          field.value = messages.pop()?.content ?? "";
        } else {
          messages.push({ role: "assistant", content: this.text });
        }
        field.focus();
      },
    };
  },
};

function json(value, headers = {}) {
  return { body: JSON.stringify(value), headers: { "Content-Type": "application/json", ...headers } };
}

// an example names a file of the repository, or a file of this hub
function address(path) {
  return path.startsWith("/") ? path : `${root.dataset.files}${path.split("/").map(encodeURIComponent).join("/")}`;
}

// --- parameters --------------------------------------------------------------------------------------------------

const knobs = new Map();

function knob({ name, label, min, max, step, default: preset }) {
  const field = make("input", { type: "number", min, max, step, placeholder: preset ?? "as the model says", id: `c-knob-${name}` });
  if (preset != null) field.value = preset;
  knobs.set(name, field);
  return make("div", { className: "knob" }, make("label", { htmlFor: field.id, textContent: label }), field);
}

function parameters() {
  const given = {};
  for (const [name, field] of knobs) if (field.value !== "") given[name] = Number(field.value);
  return given;
}

function chatParameters() {
  const { max_new_tokens: most, ...rest } = parameters();
  return most ? { max_tokens: most, ...rest } : rest;
}

// --- results -----------------------------------------------------------------------------------------------------

function bars(found, written) {
  const items = found.map(({ label, score }) => {
    const value = Math.max(0, Math.min(1, score));
    return make(
      "li",
      {},
      make("span", { className: "label", textContent: label }),
      make("span", { className: "n", textContent: written(score) }),
      make("meter", { value, max: 1, aria: { hidden: "true" } }),
    );
  });
  output.replaceChildren(make("ul", { className: "bars" }, ...items));
}

function tell(text, bad = false) {
  status.textContent = text;
  status.classList.toggle("bad", bad);
}

// --- asking the hub ----------------------------------------------------------------------------------------------

async function call(asked, signal) {
  for (;;) {
    const begun = performance.now();
    const answer = await fetch(kind.address ?? model.url, { method: "POST", signal, ...asked });
    if (answer.status !== 503) return { answer, begun };
    const told = await answer.json().catch(() => ({}));
    if (told.estimated_time == null) throw new Error(told.error ?? "The model is busy. Try again in a little while.");
    await loading(Math.max(1, told.estimated_time), signal);
  }
}

// counts down, and asks again after a while: an estimate may be too long as well as too short
async function loading(seconds, signal) {
  const begun = performance.now();
  const wait = Math.min(seconds, 5) * 1000;
  progress.hidden = false;
  while (performance.now() - begun < wait) {
    if (signal.aborted) throw new DOMException("Stopped", "AbortError");
    const left = Math.max(0, Math.ceil(seconds - (performance.now() - begun) / 1000));
    loading.most = Math.max(loading.most ?? 0, seconds);
    progress.value = 1 - left / (loading.most + 1);
    tell(`The model is loading: about ${left} second${left === 1 ? "" : "s"}.`);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

async function failure(answer) {
  const told = await answer.json().catch(() => ({}));
  const text = typeof told.error === "string" ? told.error : told.error?.message;
  return new Error(text ?? `The hub answered ${answer.status}. Try again.`);
}

async function follow(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  let tokens = 0;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return tokens;
    held += value;
    const events = held.split("\n\n");
    held = events.pop();
    for (const event of events) {
      const data = event.replace(/^data: ?/, "");
      if (data && data !== "[DONE]") tokens += kind.token(JSON.parse(data));
    }
  }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (going) return;
  going = new AbortController();
  let failed = true;
  let asked = null;
  try {
    asked = kind.body();
    run.disabled = true;
    stop.hidden = false;
    tell("Working…");
    const { answer, begun } = await call(asked, going.signal);
    progress.hidden = true;
    if (!answer.ok) throw await failure(answer);
    let tokens = 0;
    if (kind.token) tokens = await follow(answer);
    else kind.show(await answer.json());
    failed = false;
    const seconds = (performance.now() - begun) / 1000;
    const pace = tokens > 1 ? `, ${(tokens / seconds).toFixed(1)} tokens a second` : "";
    tell(`${seconds.toFixed(2)} s on this hub${pace}.`);
  } catch (error) {
    if (error.name === "AbortError") tell("Stopped.");
    else tell(error instanceof TypeError ? "The hub cannot be reached. Try again." : error.message, true);
  } finally {
    if (asked) kind.end?.(failed);
    going = null;
    progress.hidden = true;
    run.disabled = false;
    stop.hidden = true;
  }
});
stop.addEventListener("click", () => going?.abort());

// --- putting it together -----------------------------------------------------------------------------------------

const kind = kinds[model.input]();
for (const example of model.examples) {
  // a page loads nothing from other hosts
  if (example.image && /^[a-z]+:/i.test(example.image)) continue;
  const button = make("button", { type: "button", className: "plain" });
  const label = kind.label(example);
  if (kind.picture) button.append(make("img", { src: kind.picture(example), alt: label, loading: "lazy" }));
  else button.textContent = label.length > 44 ? `${label.slice(0, 43)}…` : label;
  button.title = label;
  button.addEventListener("click", async () => {
    try {
      await kind.fill(example);
      form.requestSubmit();
    } catch (error) {
      tell(error.message, true);
    }
  });
  examples.append(button);
}
if (!kind.picture && model.input !== "chat" && model.examples.length) kind.fill(model.examples[0]);
form.className = "widget";
if (examples.children.length) {
  examples.prepend(make("span", { className: "hint", textContent: "Try" }));
  form.append(examples);
}
form.append(fields);
if (model.parameters.length) {
  const more = make("details", { className: "knobs" }, make("summary", { textContent: "Parameters" }));
  more.append(...model.parameters.map(knob));
  form.append(more);
}
form.append(make("div", { className: "row" }, run, stop), progress, status, output);
root.replaceChildren(form);
