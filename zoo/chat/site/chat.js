import { ask, chatModels, thumb } from "./hub.js";
import { make, rendered } from "./render.js";
import { begin, download, markdown, remove, saveSettings, saveTalks, settings, talks } from "./store.js";
import { templates } from "./templates.js";

const $ = (id) => document.getElementById(id);
const MOST_FILE = 200_000;
let talk = null;
let going = null;
let models = [];
let files = [];

// --- conversations -----------------------------------------------------------------------------------------------

function showList() {
  const wanted = $("search").value.toLowerCase();
  const found = talks.filter((one) => !wanted || JSON.stringify(one).toLowerCase().includes(wanted));
  $("list").replaceChildren(
    ...found.map((one) => {
      const open = make("button", { textContent: one.title || "New chat", title: new Date(one.at).toLocaleString() });
      if (one === talk) open.setAttribute("aria-current", "true");
      open.onclick = () => show(one);
      const drop = make("button", { textContent: "×", className: "quiet", title: "Delete" });
      drop.setAttribute("aria-label", `Delete “${one.title}”`);
      drop.onclick = () => {
        if (!confirm("Delete this conversation? It cannot be had back.")) return;
        remove(one);
        if (one === talk) show(null);
        else showList();
      };
      return make("li", {}, open, drop);
    }),
  );
}

function show(one) {
  going?.abort();
  talk = one;
  document.body.classList.remove("listed");
  $("talk").replaceChildren(...(talk?.turns ?? []).map(turnNode));
  $("welcome").hidden = Boolean(talk?.turns.length);
  $("export").disabled = !talk?.turns.length;
  $("talk").scrollTop = $("talk").scrollHeight;
  showList();
  $("text").focus();
}

function turnNode(turn) {
  const mine = turn.role === "user";
  const body = make("div", { className: "body" }, ...(mine ? [turn.shown ?? turn.content] : rendered(turn.content)));
  const node = make("article", { className: mine ? "turn mine" : "turn" }, body);
  for (const name of turn.files ?? []) body.prepend(make("span", { className: "chip", textContent: name }));
  if (mine) node.append(tools(["Change", () => change(turn)]));
  else {
    const told = turn.seconds ? `${turn.model} · ${turn.seconds.toFixed(1)} s on ${turn.machine}` : turn.model;
    const bar = tools(
      ["Copy", () => navigator.clipboard?.writeText(turn.content)],
      ["Again", () => again(turn)],
      ["Good", () => rate(turn, "up", bar), "Say that this answer is good"],
      ["Bad", () => rate(turn, "down", bar), "Say that this answer is bad"],
    );
    bar.append(make("span", { className: "hint", textContent: told ?? "" }));
    node.append(bar);
  }
  return node;
}

function tools(...buttons) {
  const nodes = buttons.map(([text, act, label]) => {
    const button = make("button", { type: "button", textContent: text, title: label ?? text, onclick: act });
    button.setAttribute("aria-label", label ?? text);
    return button;
  });
  return make("div", { className: "tools" }, ...nodes);
}

function change(turn) {
  const at = talk.turns.indexOf(turn);
  talk.turns.length = at;
  $("text").value = turn.shown ?? turn.content;
  saveTalks();
  show(talk);
  grow();
}

async function again(turn) {
  talk.turns.length = talk.turns.indexOf(turn);
  saveTalks();
  show(talk);
  await answer();
}

async function rate(turn, rating, bar) {
  const before = talk.turns.slice(0, talk.turns.indexOf(turn));
  const note = rating === "down" ? prompt("What was wrong? (You may leave this empty.)") ?? "" : "";
  try {
    await thumb(settings, turn.model, { messages: conversation(before), output: turn.content, rating, commit: turn.commit, note });
    bar.lastChild.textContent = "Thank you: the model's owner sees it.";
  } catch (error) {
    bar.lastChild.textContent = error.message;
  }
}

// --- asking ------------------------------------------------------------------------------------------------------

function conversation(turns) {
  const said = turns.map(({ role, content }) => ({ role, content }));
  return settings.system.trim() ? [{ role: "system", content: settings.system.trim() }, ...said] : said;
}

async function answer() {
  const model = $("model").value;
  const turn = { role: "assistant", content: "", model, commit: models.find((one) => one.id === model)?.sha };
  const node = turnNode(turn);
  const body = node.querySelector(".body");
  node.querySelector(".tools").hidden = true;
  body.textContent = "…";
  $("talk").append(node);
  const mine = talk;
  const asked = conversation(mine.turns);
  going = new AbortController();
  busy(true);
  tell("Asking …");
  try {
    const done = await ask(settings, model, asked, going.signal, (event) => {
      if (event.kind === "place") tell(place(event));
      if (event.kind === "token") {
        turn.content += event.text;
        body.replaceChildren(...rendered(turn.content));
        tell("");
        const log = $("talk");
        if (log.scrollHeight - log.scrollTop - log.clientHeight < 160) log.scrollTop = log.scrollHeight;
      }
    });
    Object.assign(turn, { content: done.text || turn.content, seconds: done.seconds, machine: done.machine });
    tell("");
  } catch (error) {
    tell(error.name === "AbortError" ? "Stopped." : error instanceof TypeError ? "The hub cannot be reached." : error.message, true);
  }
  going = null;
  busy(false);
  if (turn.content) mine.turns.push(turn);
  saveTalks();
  if (talk === mine) node.replaceWith(...(turn.content ? [turnNode(turn)] : []));
}

function place({ number, of, seconds, state }) {
  const left = `about ${Math.max(1, Math.round(seconds))} s`;
  if (state === "loading") return `The model is loading: ${left}.`;
  return number > 1 ? `Place ${number} of ${of}, ${left}.` : "Thinking …";
}

function tell(text, bad = false) {
  $("status").textContent = text;
  $("status").classList.toggle("bad", bad);
}

function busy(on) {
  $("send").disabled = on;
  $("stop").hidden = !on;
}

$("form").onsubmit = async (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if ((!text && !files.length) || going) return;
  if (!models.length) return tell("There is no chat model on this hub yet.", true);
  talk ??= begin();
  talk.title ||= text.slice(0, 60) || files[0].name;
  talk.at = Date.now();
  const given = files.map(({ name, content }) => `File ${name}:\n\`\`\`\n${content}\n\`\`\``);
  talk.turns.push({ role: "user", content: [...given, text].join("\n\n"), shown: text, files: files.map(({ name }) => name) });
  $("text").value = "";
  files = [];
  showFiles();
  grow();
  saveTalks();
  show(talk);
  await answer();
};
$("stop").onclick = () => going?.abort();
$("text").onkeydown = (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    $("form").requestSubmit();
  }
};
function grow() {
  $("text").style.height = "auto";
  $("text").style.height = `${Math.min($("text").scrollHeight, 240)}px`;
}
$("text").oninput = grow;

// --- files -------------------------------------------------------------------------------------------------------

function showFiles() {
  $("files").replaceChildren(
    ...files.map((file) => {
      const drop = make("button", { type: "button", textContent: "×", onclick: () => ((files = files.filter((one) => one !== file)), showFiles()) });
      drop.setAttribute("aria-label", `Leave out ${file.name}`);
      return make("span", { className: "chip" }, file.name, drop);
    }),
  );
}
async function take(chosen) {
  for (const file of chosen) {
    if (file.size > MOST_FILE) tell(`${file.name} is longer than ${MOST_FILE / 1000} kB, more than a model reads at once.`, true);
    else files.push({ name: file.name, content: await file.text() });
  }
  showFiles();
}
$("file").onchange = () => take($("file").files).then(() => ($("file").value = ""));
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  take(event.dataTransfer.files);
});

// --- the rest of the page ----------------------------------------------------------------------------------------

for (const { title, prompt: text } of templates) {
  const use = () => {
    const at = text.indexOf("{text}");
    $("text").value = text.replace("{text}", "");
    $("text").focus();
    $("text").setSelectionRange(at, at);
    grow();
  };
  $("templates").append(make("button", { type: "button", textContent: title, title: text, onclick: use }));
}
for (const name of ["system", "temperature", "most", "token", "hub"]) {
  $(name).value = settings[name];
  $(name).onchange = () => {
    settings[name] = $(name).value.trim().replace(name === "hub" ? /\/$/ : /$^/, "");
    saveSettings();
    if (name === "hub" || name === "token") findModels();
  };
}
$("model").onchange = () => {
  settings.model = $("model").value;
  saveSettings();
};
$("new").onclick = () => show(null);
$("search").oninput = showList;
$("open-settings").onclick = () => $("settings").showModal();
$("open-side").onclick = () => document.body.classList.add("listed");
$("close-side").onclick = () => document.body.classList.remove("listed");
$("export").onclick = () => download(`${(talk.title || "chat").replace(/\W+/g, "-")}.md`, markdown(talk), "text/markdown");
$("export-all").onclick = () => download("conversations.json", JSON.stringify(talks, null, 2), "application/json");

async function findModels() {
  try {
    models = await chatModels(settings);
  } catch (error) {
    models = [];
    tell(error instanceof TypeError ? "The hub cannot be reached: see the settings." : error.message, true);
  }
  const options = models.map(({ id }) => make("option", { value: id, textContent: id }));
  $("model").replaceChildren(...(options.length ? options : [make("option", { textContent: "no chat model here", value: "" })]));
  if (models.some(({ id }) => id === settings.model)) $("model").value = settings.model;
}
show(null);
findModels();
