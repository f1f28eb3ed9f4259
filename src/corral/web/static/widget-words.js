// Answers in words: texts, texts that come word by word, and texts with parts of them marked.

import { make, shade } from "./dom.js";
import { copying, legend, nothing, percent, rowsOf } from "./widget-pieces.js";

/** The text of an answer, whichever member has it: `generated_text`, `translation_text`, `text`, `answer`. */
function textsOf(value) {
  if (typeof value === "string") return [value];
  if (Array.isArray(value)) return value.flatMap(textsOf);
  const name = Object.keys(value ?? {}).find(
    (key) => /(^|_)text$|^answer$/.test(key) && typeof value[key] === "string",
  );
  return name ? [value[name]] : [];
}

export function text(node) {
  const said = make("div", { className: "said", tabIndex: 0, role: "region", ariaLabel: "The answer" });
  return {
    token: (event) => shown(node, said) && appended(said, event),
    show({ value }) {
      const found = textsOf(value);
      said.textContent = found.join("\n\n").trim();
      shown(node, said);
      if (!said.textContent.trim()) return node.replaceChildren(nothing("The answer is empty."));
      node.append(copying(() => said.textContent, "Copy the text"));
      if (value.chunks?.length) node.append(timed(value.chunks));
    },
  };
}

function shown(node, said) {
  if (!said.isConnected) node.replaceChildren(said);
  return true;
}

function appended(said, event) {
  if (event.special) return 0;
  said.append(event.text);
  said.scrollTop = said.scrollHeight;
  return 1;
}

function timed(chunks) {
  const time = (seconds) =>
    seconds == null ? "" : `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(1).padStart(4, "0")}`;
  const items = chunks.map((one) =>
    make("li", {}, make("span", { className: "n", textContent: time(one.timestamp?.[0]) }), ` ${one.text.trim()}`),
  );
  return make(
    "details",
    { className: "uses" },
    make("summary", { textContent: "With times" }),
    make("ol", { className: "timed" }, ...items),
  );
}

/** A text that goes on from the one that was given. */
export function tokens(node, { form, body }) {
  const prompt = form.valueOf(body, "area", "line") ?? "";
  const answer = make("span");
  const said = make(
    "div",
    { className: "said", tabIndex: 0, role: "region", ariaLabel: "The text" },
    make("span", { className: "dim", textContent: prompt }),
    answer,
  );
  return {
    token(event) {
      shown(node, said);
      const read = said.scrollTop + said.clientHeight >= said.scrollHeight - 30;
      if (!event.special) answer.append(event.text);
      if (read) said.scrollTop = said.scrollHeight;
      return event.special ? 0 : 1;
    },
    show({ value }) {
      shown(node, said);
      answer.textContent = textsOf(value)[0] ?? "";
      node.append(copying(() => said.textContent, "Copy the text"));
    },
  };
}

/** A text with parts of it marked: [from, to, label, note]. */
function marked(text, parts) {
  const said = make("p", { className: "said marked" });
  let at = 0;
  // offsets count code points; JavaScript counts the halves of some
  const letters = [...text];
  for (const [from, to, label, note] of parts.sort((a, b) => a[0] - b[0])) {
    if (from < at || to <= from) continue;
    const mark = make("mark", { className: shade(label), title: note }, letters.slice(from, to).join(""));
    if (label) mark.append(make("b", { textContent: label }));
    said.append(letters.slice(at, from).join(""), mark);
    at = to;
  }
  said.append(letters.slice(at).join(""));
  return said;
}

export function spans(node, { form, body }) {
  return {
    show({ value }) {
      const given = form.valueOf(body, "area", "line") ?? "";
      const found = (Array.isArray(value[0]) ? value[0] : value).map((one) => ({
        ...one,
        label: one.entity_group ?? one.entity,
      }));
      const counts = new Map();
      for (const { label } of found) counts.set(label, (counts.get(label) ?? 0) + 1);
      node.replaceChildren(
        marked(
          given,
          found.map((one) => [one.start, one.end, one.label, `${one.label}: ${percent(one.score)}`]),
        ),
        found.length ? legend(counts) : nothing("Nothing was found in this text."),
      );
    },
  };
}

export function span(node, { form, body }) {
  return {
    show({ value }) {
      const found = Array.isArray(value) ? value : [value];
      const [best] = found;
      if (!best?.answer) return node.replaceChildren(nothing("There is no answer in this text."));
      const context = form.valueOf(body, "area");
      const rest = found.slice(1).map((one) => ({ label: one.answer, score: one.score }));
      node.replaceChildren(
        make(
          "p",
          { className: "answer" },
          make("strong", { textContent: best.answer }),
          make("span", { className: "n", textContent: ` ${percent(best.score)}` }),
        ),
        ...(context && best.start != null ? [marked(context, [[best.start, best.end, "", percent(best.score)]])] : []),
        ...(rest.length ? [rowsOf(rest, percent)] : []),
      );
    },
  };
}
