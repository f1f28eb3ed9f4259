// Trying a model on its page. The address, the form and the examples come from the hub (`inference.widget.describe`);
// here they become fields, a request, and a picture of its answer.

import { make, Sentence } from "./dom.js";
import { Answer, controls, raw } from "./widget-answer.js";
import { chat } from "./widget-chat.js";
import { Form } from "./widget-form.js";
import { written } from "./widget-outputs.js";

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

for (const root of document.querySelectorAll("[data-widget]")) {
  const described = JSON.parse(root.dataset.widget);
  const { files, rates } = root.dataset;
  root.replaceChildren((described.output === "chat" ? chat : single)(described, files, rates === "yes"));
}
