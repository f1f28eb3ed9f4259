// A thumb up or down for an answer, a note, and a better answer: for who is signed in. The model's owner decides on it.

import { button, draw, fresh, make } from "./dom.js";
import { reach, refusal } from "./widget-call.js";

const THUMB =
  "M5 7.2v6.3H2.6V7.2H5Zm0 0 2.6-5c1 0 1.7.8 1.5 1.8L8.7 6.2h3.7c.9 0 1.5.8 1.3 1.6l-1 4.6c-.1.7-.7 1.1-1.3 1.1H5";

/** `input` and `output` are JSON; `words` says whether the answer is a text, for which there may be a better one. */
export function rating(described, input, output, words) {
  const status = make("span", { className: "hint", role: "status" });
  const note = make("input", { id: fresh(), maxLength: 2000, autocomplete: "off" });
  const better = make("textarea", { id: fresh(), rows: 2 });
  const more = make("div", { className: "rating-more", hidden: true });
  more.append(make("label", { htmlFor: note.id, className: "field-label", textContent: "Why? (if you like)" }), note);
  if (words)
    more.append(
      make("label", { htmlFor: better.id, className: "field-label", textContent: "A better answer (if you know one)" }),
      better,
    );
  more.append(button("Send", () => send(), "plain small"));
  let good = null;

  async function send() {
    const body = {
      input,
      output,
      rating: good ? "up" : "down",
      note: note.value,
      better: better.value,
      commit: described.commit,
      task: described.task,
      source: "widget",
    };
    status.textContent = "";
    try {
      const answer = await reach(`/api/models/${described.name}/feedback`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
      });
      if (!answer.ok) throw await refusal(answer);
      status.textContent = "Thank you: the model's owner will see it.";
    } catch (error) {
      status.textContent = error.message;
    }
  }
  const thumb = (name, value) => {
    const press = button(
      "",
      () => {
        good = value;
        for (const one of thumbs) one.setAttribute("aria-pressed", String(one === press));
        more.hidden = false;
        more.scrollIntoView({ block: "nearest" });
        send();
      },
      "quiet thumb",
      { ariaLabel: name, title: name },
    );
    press.setAttribute("aria-pressed", "false");
    const turned = value ? {} : { transform: "rotate(180 8 8)" };
    press.append(
      draw(
        "svg",
        { viewBox: "0 0 16 16", class: "icon", "aria-hidden": "true" },
        draw("path", { d: THUMB, ...turned }),
      ),
    );
    return press;
  };
  const thumbs = [thumb("A good answer", true), thumb("A bad answer", false)];
  return make("div", { className: "rating" }, make("div", { className: "row" }, ...thumbs, status), more);
}

/** A request's body as it is kept: an example's file by its address, another file as the number of its characters. */
export function kept(body, shared) {
  return JSON.parse(
    JSON.stringify({ ...body, ...(shared?.inputs?.src ? { inputs: shared.inputs } : {}) }, (_, one) =>
      typeof one === "string" && one.length > 20_000 ? `(a file: ${one.length} characters of base64)` : one,
    ),
  );
}
