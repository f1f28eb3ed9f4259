// Trying a model on its page. The address, the form and the examples come from the hub (`inference.widget.describe`);
// here they become fields, a request, and a picture of its answer.

import { button, make, Sentence } from "./dom.js";
import { Answer, controls, raw } from "./widget-answer.js";
import { chat } from "./widget-chat.js";
import { Form } from "./widget-form.js";
import { written } from "./widget-pieces.js";

function single(described, files, rates) {
  const answer = new Answer(described, rates);
  const failed = (error) => answer.waiting.failed(error);
  const node = make("form", { className: "widget", noValidate: true });
  const form = new Form(described, { files, submit: () => node.requestSubmit(), failed });
  const actions = controls("Run", async (signal) => {
    let body;
    try {
      body = await form.body();
    } catch (error) {
      return failed(error);
    }
    await answer.ask(body, form, signal);
  });
  const request = raw("View request", async () => {
    try {
      return `POST ${described.url}\n\n${written(await form.body())}`;
    } catch (error) {
      if (error instanceof Sentence) return error.message;
      throw error;
    }
  });
  node.addEventListener("submit", (event) => {
    event.preventDefault();
    actions.press();
  });
  const examples = form.examples(() => node.requestSubmit(), failed);
  node.append(...[examples, form.node, form.settings, actions.node, answer.node, request].filter(Boolean));
  if (form.startsFilled && described.examples.length) form.fill(described.examples[0]).catch(failed);
  return node;
}

/** Weights that do several tasks have a form for each. */
function several(described, files, rates) {
  const place = make("div");
  const forms = new Map();
  const bar = make("div", { className: "sorts flush-left", role: "group", ariaLabel: "Task" });
  for (const task of [described, ...described.also]) {
    bar.append(
      button(
        task.label,
        (event) => {
          if (!forms.has(task.task)) forms.set(task.task, single({ ...described, ...task }, files, rates));
          place.replaceChildren(forms.get(task.task));
          for (const one of bar.children) one.setAttribute("aria-pressed", String(one === event.currentTarget));
        },
        "bare",
      ),
    );
  }
  bar.firstChild.click();
  return make("div", { className: "several" }, bar, place);
}

for (const root of document.querySelectorAll("[data-widget]")) {
  const described = JSON.parse(root.dataset.widget);
  const { files, rates } = root.dataset;
  const show = described.output === "chat" ? chat : described.also.length ? several : single;
  root.replaceChildren(show(described, files, rates === "yes"));
}
