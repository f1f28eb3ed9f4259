// A conversation with a model.

import { button, make, Sentence, shorten } from "./dom.js";
import { chatting, controls, raw } from "./widget-answer.js";
import { call, Waiting } from "./widget-call.js";
import { kept, rating } from "./widget-feedback.js";
import { field } from "./widget-fields.js";
import { Form } from "./widget-form.js";
import { copying, written } from "./widget-pieces.js";

export function chat(described, files, rates) {
  const node = make("form", { className: "widget chat", noValidate: true });
  const waiting = new Waiting();
  const failed = (error) => waiting.failed(error);
  const env = { files, submit: () => node.requestSubmit(), failed, changed: () => {} };
  const input = make("textarea", { rows: 2, ariaLabel: "Say something", placeholder: "Say something" });
  const talk = make("div", { className: "talk", tabIndex: 0, role: "log", ariaLabel: "Conversation", hidden: true });
  const system = field({ kind: "area", label: "How the model is to behave (system prompt)", optional: true }, env);
  // only its parameters: what is said is a conversation's
  const form = new Form({ ...described, form: [], examples: [] }, env);
  form.settings.hidden = false;
  form.settings.append(system.node);
  const looks = described.form.find(({ kind }) => kind === "picture");
  const picture = looks ? field({ ...looks, optional: true }, env) : null;
  const clear = button(
    "Begin again",
    () => {
      actions.stop();
      messages = [];
      talk.replaceChildren();
      talk.hidden = clear.hidden = true;
      examples.hidden = false;
      waiting.say("");
      input.focus();
    },
    "link",
    { hidden: true },
  );
  let messages = [];

  const say = (text, mine) => {
    const said = make(
      "div",
      { className: mine ? "said mine" : "said" },
      make("span", { className: "sr", textContent: mine ? "You: " : "Model: " }),
      make("span", { textContent: text }),
    );
    talk.append(said);
    talk.hidden = clear.hidden = false;
    examples.hidden = true;
    talk.scrollTop = talk.scrollHeight;
    return said;
  };

  async function request() {
    const given = system.value();
    const { parameters } = await form.body();
    const all = given ? [{ role: "system", content: given }, ...messages] : messages;
    return { model: described.name, messages: all, ...chatting(parameters) };
  }

  const actions = controls("Send", async (signal) => {
    const text = input.value.trim();
    if (!text) return failed(new Sentence("Write something first."));
    const talked = messages;
    const url = picture?.url;
    const seen = url ? `data:image/*;base64,${await picture.value()}` : null;
    messages.push({
      role: "user",
      content: seen
        ? [
            { type: "image_url", image_url: { url: seen } },
            { type: "text", text },
          ]
        : text,
    });
    const mine = say(text, true);
    if (url)
      mine.prepend(
        make("img", { src: `data:image/*;base64,${await picture.value()}`, alt: "The picture that you sent" }),
      );
    const said = say("…", false);
    const words = said.lastChild;
    let heard = "";
    let tokens = 0;
    input.value = "";
    waiting.begin();
    try {
      const body = await request();
      const result = await call(described.chat_url, body, signal, {
        place: (event) => waiting.place(event),
        token: (event) => {
          if (event.special) return;
          tokens += 1;
          heard += event.text;
          words.textContent = heard;
          talk.scrollTop = talk.scrollHeight;
        },
      });
      heard = result.value.choices[0].message.content;
      words.textContent = heard;
      const acts = make(
        "div",
        { className: "row acts" },
        copying(() => heard, "Copy the answer"),
      );
      if (rates) acts.append(rating(described, kept({ messages: body.messages }), heard, true));
      said.append(acts);
      waiting.done(result, tokens > 1 ? `, ${(tokens / result.seconds).toFixed(1)} tokens a second` : "");
      if (picture) await picture.set(null);
    } catch (error) {
      failed(error);
    }
    // somebody may have begun again in the meantime
    if (talked !== messages) return;
    if (heard) messages.push({ role: "assistant", content: heard });
    else {
      // nothing was said: the question goes back to where it was written
      messages.pop();
      mine.remove();
      said.remove();
      input.value ||= text;
    }
    input.focus();
  });

  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    node.requestSubmit();
  });
  node.addEventListener("submit", (event) => {
    event.preventDefault();
    actions.press();
  });

  const examples = make(
    "div",
    { className: "examples", role: "group", ariaLabel: "Examples" },
    make("span", { className: "hint", textContent: "Try" }),
  );
  for (const example of described.examples) {
    const last = example.messages.at(-1);
    if (typeof last.content !== "string") continue;
    examples.append(
      button(
        shorten(example.example_title ?? last.content, 60),
        () => {
          messages = example.messages.slice(0, -1);
          for (const one of messages) if (one.role !== "system") say(one.content, one.role === "user");
          input.value = last.content;
          node.requestSubmit();
        },
        "plain",
        { title: last.content },
      ),
    );
  }
  const view = raw("View request", async () => {
    const text = input.value.trim();
    const body = await request();
    if (text) body.messages = [...body.messages, { role: "user", content: text }];
    return `POST ${described.chat_url}\n\n${written(body)}`;
  });
  node.append(
    ...[
      examples.children.length > 1 ? examples : null,
      talk,
      picture?.node,
      input,
      form.settings,
      make("div", { className: "spread" }, actions.node, clear),
      waiting.node,
      view,
    ].filter(Boolean),
  );
  return node;
}
