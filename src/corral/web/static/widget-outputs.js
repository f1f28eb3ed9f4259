// How answers are shown, one maker for each kind of output (`inference.tasks.base.Task.output`).
//
// A maker gets what was asked (`body`; `form`, the widget-form.js Form it came from) and gives the `node`,
// `show(result)` and, for answers that come in pieces, `token(event)`. What has no maker here is shown as JSON.

import { make } from "./dom.js";
import { boxes, masks, points } from "./widget-drawn.js";
import { picture, sound } from "./widget-media.js";
import { copying, nothing, percent, rowsOf, written } from "./widget-pieces.js";
import { span, spans, text, tokens } from "./widget-words.js";

const MAKERS = { bars, numbers, similarity, text, tokens, spans, span, table, boxes, masks, points, picture, sound };

export function output(kind, asked) {
  const node = make("div", { className: `output output-${kind}` });
  return { node, ...(MAKERS[kind] ?? json)(node, asked) };
}

function bars(node) {
  return {
    show({ value }) {
      // several blanks in a text have a list of words each
      const groups = Array.isArray(value[0]) ? value : [value];
      const drawn = groups.map((found) =>
        rowsOf(
          found.map((one) => ({ label: one.label ?? one.token_str.trim(), score: one.score })),
          percent,
        ),
      );
      if (!groups.some((found) => found.length)) node.replaceChildren(nothing("There is no answer."));
      else if (groups.length === 1) node.replaceChildren(...drawn);
      else
        node.replaceChildren(
          ...drawn.flatMap((one, i) => [make("p", { className: "field-label", textContent: `Blank ${i + 1}` }), one]),
        );
    },
  };
}

function similarity(node, { form, body }) {
  return {
    show({ value }) {
      const lines = form.valueOf(body, "lines", "labels") ?? [];
      node.replaceChildren(
        rowsOf(
          value.map((score, i) => ({ label: lines[i] ?? `${i + 1}`, score })),
          (score) => score.toFixed(3),
        ),
      );
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
        make("div", {
          className: "numbers",
          textContent: written,
          tabIndex: 0,
          role: "region",
          ariaLabel: "The vector",
        }),
        copying(() => JSON.stringify(value), "Copy the numbers"),
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
        make(
          "tr",
          {},
          answers && make("td", { className: "chosen", textContent: plain(answers[row]) }),
          ...names.map((name, column) => cell(row, name, column)),
        );
      node.replaceChildren(
        ...(value.answer != null
          ? [make("p", { className: "answer" }, make("strong", { textContent: value.answer }))]
          : []),
        ...(value.aggregator && value.aggregator !== "NONE"
          ? [make("p", { className: "hint", textContent: `${value.aggregator} of ${(value.cells ?? []).join(", ")}` })]
          : []),
        make(
          "div",
          { className: "scroll", tabIndex: 0, role: "region", ariaLabel: "The table" },
          make(
            "table",
            { className: "grid" },
            make("thead", {}, make("tr", {}, ...head.map((name) => make("th", { textContent: name })))),
            make("tbody", {}, ...Array.from({ length: height }, (_, row) => line(row))),
          ),
        ),
      );
    },
  };
}

const plain = (value) =>
  typeof value === "number"
    ? String(Number(value.toPrecision(6)))
    : typeof value === "object"
      ? JSON.stringify(value)
      : String(value);

function json(node) {
  return {
    show(result) {
      node.replaceChildren(
        make("pre", { className: "numbers", tabIndex: 0, textContent: written(result.value ?? result.about) }),
      );
    },
  };
}
