// How answers are shown, one maker for each kind of output (`inference.tasks.base.Task.output`).
//
// A maker gets what was asked (`body`; `form`, the widget-form.js Form it came from) and gives the `node`, `show(result)`
// and, for answers that come in pieces, `token(event)`. What has no maker here is shown as JSON.

import { copy } from "./corral.js";
import { button, make, shade } from "./dom.js";
import { boxes, masks, points } from "./widget-drawn.js";
import { picture, sound } from "./widget-media.js";

const MAKERS = { bars, numbers, similarity, text, tokens, spans, span, table, boxes, masks, points, picture, sound };

export function output(kind, asked) {
  const node = make("div", { className: `output output-${kind}` });
  return { node, ...(MAKERS[kind] ?? json)(node, asked) };
}

const percent = (score) => `${(score * 100).toFixed(score < 0.1 && score > 0 ? 2 : 1)} %`;

function rowsOf(found, write) {
  const items = found.map(({ label, score }) =>
    make(
      "li",
      {},
      make("span", { className: "label", textContent: label }),
      make("span", { className: "n", textContent: write(score) }),
      make("meter", { value: Math.max(0, Math.min(1, score)), max: 1, aria: { hidden: "true" } }),
    ),
  );
  return make("ol", { className: "bars" }, ...items);
}

function bars(node) {
  return {
    show({ value }) {
      // several blanks in a text have a list of words each
      const groups = Array.isArray(value[0]) ? value : [value];
      const drawn = groups.map((found) => rowsOf(found.map((one) => ({ label: one.label ?? one.token_str.trim(), score: one.score })), percent));
      if (!groups.some((found) => found.length)) node.replaceChildren(nothing("There is no answer."));
      else if (groups.length === 1) node.replaceChildren(...drawn);
      else node.replaceChildren(...drawn.flatMap((one, i) => [make("p", { className: "field-label", textContent: `Blank ${i + 1}` }), one]));
    },
  };
}

function similarity(node, { form, body }) {
  return {
    show({ value }) {
      const lines = form.valueOf(body, "lines", "labels") ?? [];
      node.replaceChildren(rowsOf(value.map((score, i) => ({ label: lines[i] ?? `${i + 1}`, score })), (score) => score.toFixed(3)));
    },
  };
}

function numbers(node) {
  return {
    show({ value }) {
      let vector = value;
      while (Array.isArray(vector[0])) vector = vector[0];
      const most = Math.max(...vector.map(Math.abs)) || 1;
      const drawn = make("div", { className: "stripes", aria: { hidden: "true" } });
      const step = Math.max(1, Math.ceil(vector.length / 192));
      for (let i = 0; i < vector.length; i += step) {
        const share = vector[i] / most;
        drawn.append(make("i", { className: share < 0 ? "below" : "", style: { opacity: Math.abs(share) } }));
      }
      const written = `[${vector.map((x) => x.toFixed(4)).join(", ")}]`;
      node.replaceChildren(
        make("p", { className: "hint", textContent: `${vector.length} numbers` }),
        drawn,
        make("div", { className: "numbers", textContent: written, tabIndex: 0, role: "region", ariaLabel: "The vector" }),
        copying(() => JSON.stringify(value), "Copy the numbers"),
      );
    },
  };
}

/** The text of an answer, whichever member has it: `generated_text`, `translation_text`, `text`, `answer`. */
function textsOf(value) {
  if (typeof value === "string") return [value];
  if (Array.isArray(value)) return value.flatMap(textsOf);
  const name = Object.keys(value ?? {}).find((key) => /(^|_)text$|^answer$/.test(key) && typeof value[key] === "string");
  return name ? [value[name]] : [];
}

function text(node) {
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
  const time = (seconds) => (seconds == null ? "" : `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(1).padStart(4, "0")}`);
  const items = chunks.map((one) => make("li", {}, make("span", { className: "n", textContent: time(one.timestamp?.[0]) }), ` ${one.text.trim()}`));
  return make("details", { className: "uses" }, make("summary", { textContent: "With times" }), make("ol", { className: "timed" }, ...items));
}

/** A text that goes on from the one that was given. */
function tokens(node, { form, body }) {
  const prompt = form.valueOf(body, "area", "line") ?? "";
  const answer = make("span");
  const said = make("div", { className: "said", tabIndex: 0, role: "region", ariaLabel: "The text" }, make("span", { className: "dim", textContent: prompt }), answer);
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

function spans(node, { form, body }) {
  return {
    show({ value }) {
      const given = form.valueOf(body, "area", "line") ?? "";
      const found = (Array.isArray(value[0]) ? value[0] : value).map((one) => ({ ...one, label: one.entity_group ?? one.entity }));
      const counts = new Map();
      for (const { label } of found) counts.set(label, (counts.get(label) ?? 0) + 1);
      node.replaceChildren(
        marked(given, found.map((one) => [one.start, one.end, one.label, `${one.label}: ${percent(one.score)}`])),
        found.length ? legend(counts) : nothing("Nothing was found in this text."),
      );
    },
  };
}

export function legend(counts) {
  const items = [...counts].map(([label, count]) =>
    make("li", { className: `key ${shade(label)}` }, make("i", { aria: { hidden: "true" } }), `${label} `, make("span", { className: "n", textContent: count })),
  );
  return make("ul", { className: "legend" }, ...items);
}

function span(node, { form, body }) {
  return {
    show({ value }) {
      const found = Array.isArray(value) ? value : [value];
      const [best] = found;
      if (!best?.answer) return node.replaceChildren(nothing("There is no answer in this text."));
      const context = form.valueOf(body, "area");
      const rest = found.slice(1).map((one) => ({ label: one.answer, score: one.score }));
      node.replaceChildren(
        make("p", { className: "answer" }, make("strong", { textContent: best.answer }), make("span", { className: "n", textContent: ` ${percent(best.score)}` })),
        ...(context && best.start != null ? [marked(context, [[best.start, best.end, "", percent(best.score)]])] : []),
        ...(rest.length ? [rowsOf(rest, percent)] : []),
      );
    },
  };
}

/** An answer about a table, or one value for each of its rows. */
function table(node, { form, body }) {
  return {
    show({ value }) {
      const given = form.valueOf(body, "rows") ?? {};
      const names = Object.keys(given);
      const height = Math.max(0, ...names.map((name) => given[name].length));
      const answers = Array.isArray(value) ? value : (value.predictions ?? null);
      const chosen = new Set((value.coordinates ?? []).map(([row, column]) => `${row},${column}`));
      // first, since a table may be wider than its place
      const head = [...(answers ? ["Answer"] : []), ...names];
      const cell = (row, name, column) =>
        make("td", { className: chosen.has(`${row},${column}`) ? "chosen" : "", textContent: given[name][row] ?? "" });
      const line = (row) =>
        make("tr", {}, answers && make("td", { className: "chosen", textContent: plain(answers[row]) }), ...names.map((name, column) => cell(row, name, column)));
      node.replaceChildren(
        ...(value.answer != null ? [make("p", { className: "answer" }, make("strong", { textContent: value.answer }))] : []),
        ...(value.aggregator && value.aggregator !== "NONE" ? [make("p", { className: "hint", textContent: `${value.aggregator} of ${(value.cells ?? []).join(", ")}` })] : []),
        make(
          "div",
          { className: "scroll", tabIndex: 0, role: "region", ariaLabel: "The table" },
          make("table", { className: "grid" }, make("thead", {}, make("tr", {}, ...head.map((name) => make("th", { textContent: name })))), make("tbody", {}, ...Array.from({ length: height }, (_, row) => line(row)))),
        ),
      );
    },
  };
}

const plain = (value) => (typeof value === "number" ? String(Number(value.toPrecision(6))) : typeof value === "object" ? JSON.stringify(value) : String(value));

function json(node) {
  return {
    show(result) {
      node.replaceChildren(make("pre", { className: "numbers", tabIndex: 0, textContent: written(result.value ?? result.about) }));
    },
  };
}

/** JSON for people: what is long and in base64 is cut short. */
export function written(value) {
  return JSON.stringify(value, (_, one) => (typeof one === "string" && one.length > 2000 ? `${one.slice(0, 60)}… (${one.length} characters)` : one), 2);
}

export function nothing(text) {
  return make("p", { className: "hint", textContent: text });
}

export function copying(text, label) {
  const press = button("Copy", async () => {
    await copy(text());
    press.textContent = "Copied";
    setTimeout(() => (press.textContent = "Copy"), 1500);
  }, "link copying", { ariaLabel: label });
  return press;
}
