// One model's answer to one request: asking, waiting, showing. The widget has one of these, Compare one for each model.

import { button, make } from "./dom.js";
import { call, Waiting } from "./widget-call.js";
import { kept, rating } from "./widget-feedback.js";
import { output } from "./widget-outputs.js";
import { copying, written } from "./widget-pieces.js";

/** Answers with the picture that they are about in them. */
const SHOW_IT_AGAIN = new Set(["boxes", "masks", "points", "picture"]);

export class Answer {
  /** `described` as `inference.widget.describe` has it; `rates`: whether there is somebody who may give feedback. */
  constructor(described, rates) {
    this.described = described;
    this.rates = rates;
    this.waiting = new Waiting();
    this.place = make("div", { className: "result", aria: { live: "polite", busy: "false" } });
    this.details = make("div", { className: "raw" });
    this.node = make("div", { className: "answer-lane" }, this.waiting.node, this.place, this.details);
  }

  waits(text) {
    this.place.replaceChildren();
    this.details.replaceChildren();
    this.waiting.say(text);
  }

  #rating(body, form, result, value) {
    if (!this.rates) return [];
    const words = ["text", "tokens", "chat"].includes(this.described.output);
    const said = this.described.chat_url
      ? value.text
      : (result.value ?? `(${result.media.slice(5, result.media.indexOf(";"))})`);
    return [rating(this.described, kept(body, form.shared().body), kept({ said }).said, words)];
  }

  /**
   * Send `body`, which `form` made, and show what comes. Returns the result with the seconds it took, null when there
   * is none: the reason is on the page then.
   */
  async ask(body, form, signal) {
    const { chat_url: chats, url, name } = this.described;
    const kind = chats ? "text" : this.described.output;
    const shown = output(kind, { body, form });
    const sent = chats
      ? { model: name, messages: [{ role: "user", content: body.inputs }], ...chatting(body.parameters) }
      : streaming(kind, body);
    let tokens = 0;
    const preview = make("img", { className: "preview", alt: "What there is by now" });
    form.node.classList.toggle("shown-again", SHOW_IT_AGAIN.has(kind));
    this.waiting.begin();
    this.details.replaceChildren();
    this.place.setAttribute("aria-busy", "true");
    this.place.replaceChildren();
    try {
      const result = await call(chats ?? url, sent, signal, {
        place: (event) => this.waiting.place(event),
        progress: (event) => {
          this.waiting.progress(event);
          if (!event.picture) return;
          preview.src = event.picture;
          if (!preview.isConnected) this.place.replaceChildren(preview);
        },
        token: (event) => {
          if (!shown.node.isConnected) this.place.replaceChildren(shown.node);
          tokens += shown.token?.(event) ?? 0;
        },
      });
      this.place.replaceChildren(shown.node);
      const value = chats ? { text: result.value.choices[0].message.content } : result.value;
      await shown.show({ ...result, value });
      this.waiting.done(result, tokens > 1 ? `, ${(tokens / result.seconds).toFixed(1)} tokens a second` : "");
      this.details.replaceChildren(
        ...this.#rating(body, form, result, value),
        raw("The answer as JSON", () => written(result.value ?? { media: result.media, ...result.about })),
      );
      return result;
    } catch (error) {
      if (preview.isConnected) preview.remove();
      this.waiting.failed(error);
      return null;
    } finally {
      this.place.setAttribute("aria-busy", "false");
    }
  }
}

/** Tasks that answer word by word are asked to. */
function streaming(kind, body) {
  return kind === "tokens" ? { ...body, stream: true } : body;
}

/** Parameters as OpenAI's protocol names them. */
export function chatting({ max_new_tokens: most, ...rest } = {}) {
  return { stream: true, ...(most ? { max_tokens: most } : {}), ...rest };
}

/** JSON that is written when somebody looks. */
export function raw(title, text) {
  const code = make("code");
  const details = make("details", { className: "uses" }, make("summary", { textContent: title }));
  details.append(
    make("pre", { className: "numbers", tabIndex: 0 }, code),
    copying(() => code.textContent, `Copy: ${title}`),
  );
  details.addEventListener("toggle", async () => {
    if (details.open) code.textContent = await text();
  });
  return details;
}

/** Run and Stop: `go(signal)` is called with one press, and not again before it is done. */
export function controls(words, go) {
  const run = make("button", { textContent: words, className: "primary" });
  const stop = button("Stop", () => going?.abort(), "plain", { hidden: true });
  let going = null;
  return {
    node: make("div", { className: "row" }, run, stop),
    stop: () => going?.abort(),
    async press() {
      if (going) return;
      going = new AbortController();
      run.disabled = true;
      stop.hidden = false;
      try {
        await go(going.signal);
      } finally {
        going = null;
        run.disabled = false;
        stop.hidden = true;
      }
    },
  };
}
