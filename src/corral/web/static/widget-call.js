// Asking the hub for an answer, and telling the one who waits how far it is.

import { make, Sentence } from "./dom.js";

/**
 * POST `body` and follow the events (`api.calling.told`): `on.place`, `on.progress` and `on.token` hear of theirs.
 * Returns the result; throws a Sentence when there is none.
 */
export async function call(url, body, signal, on) {
  const answer = await reach(url, {
    method: "POST",
    signal,
    body: JSON.stringify(body),
    headers: { "Content-Type": "application/json", "x-corral-events": "true" },
  });
  if (!answer.ok) throw await refusal(answer);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { value, done } = await reader.read().catch(lost);
    if (done) throw new Sentence("The connection ended before the answer came. Try again.");
    held += value;
    const events = held.split("\n\n");
    held = events.pop();
    for (const [kind, told] of events.map(parse)) {
      if (kind === "result") return told;
      if (kind === "error") throw new Sentence(told.error);
      on[kind]?.(told);
    }
  }
}

function lost(error) {
  if (error.name === "AbortError") throw error;
  return { done: true };
}

export async function reach(url, options) {
  try {
    return await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Sentence("The hub cannot be reached. Try again.");
  }
}

export async function refusal(answer) {
  const told = await answer.json().catch(() => ({}));
  const text = typeof told.error === "string" ? told.error : told.error?.message;
  return new Sentence(text ?? `The hub answered with status ${answer.status}. Try again.`);
}

function parse(event) {
  let kind = "message";
  let data = "";
  for (const line of event.split("\n")) {
    if (line.startsWith("event: ")) kind = line.slice(7);
    else if (line.startsWith("data: ")) data += line.slice(6);
  }
  return [kind, JSON.parse(data)];
}

/** One line and a bar: where a request stands, then what it took or what went wrong. */
export class Waiting {
  constructor() {
    this.words = make("span");
    this.clock = make("span", { aria: { hidden: "true" } });
    this.bar = make("progress", { max: 1, hidden: true, aria: { label: "How far it is" } });
    this.line = make("p", { className: "status", role: "status" }, this.words, this.clock);
    this.node = make("div", { className: "waiting" }, this.line, this.bar);
    this.ticking = 0;
  }

  say(text, bad = false) {
    this.#rest();
    // what has not changed is not read out again
    if (this.words.textContent !== text) this.words.textContent = text;
    this.line.classList.toggle("bad", bad);
  }

  begin() {
    this.say("Working…");
    this.longest = 0;
  }

  place({ number, of, seconds, state }) {
    const loading = state !== "ready";
    if (loading) this.say(of > 1 ? `The model is loading; place ${number} of ${of}` : "The model is loading");
    else this.say(number > 0 ? `Place ${number} of ${of}` : "Working");
    // one that runs is asked about from time to time, and its estimate is for the whole
    if (!loading && number === 0) this.clock.textContent = "…";
    else this.#countDown(seconds);
  }

  #countDown(seconds) {
    const until = performance.now() + seconds * 1000;
    this.longest = Math.max(this.longest, seconds);
    const tick = () => {
      const left = Math.max(0, (until - performance.now()) / 1000);
      this.clock.textContent = left < 1 ? ", any moment now" : `, about ${Math.ceil(left)} s`;
      this.bar.value = 1 - left / this.longest;
    };
    this.bar.hidden = false;
    tick();
    this.ticking = setInterval(tick, 250);
  }

  progress({ done, total }) {
    this.#rest();
    if (total > 0) {
      this.bar.hidden = false;
      this.bar.value = done / total;
    }
    this.words.textContent = "Working";
    this.clock.textContent = total > 0 ? `: step ${done} of ${total}` : "…";
  }

  done({ seconds, machine }, more = "") {
    this.say(`${written(seconds)} on ${machine}${more}`);
  }

  failed(error) {
    if (error.name === "AbortError") this.say("Stopped.");
    else if (error instanceof Sentence) this.say(error.message, true);
    else {
      this.say("This page made a mistake. Load it again.", true);
      throw error;
    }
  }

  #rest() {
    clearInterval(this.ticking);
    this.bar.hidden = true;
    this.clock.textContent = "";
  }
}

export function written(seconds) {
  return seconds < 0.01 ? "Less than 0.01 s" : `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
}
