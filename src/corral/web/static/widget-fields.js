// The fields of a task's form, one maker for each kind of input (`inference.tasks.base.Input`).
//
// A field has its `node`; `value()` for the body, null while it is empty; `shared()`, the same as an address can hold
// it, and `local()`, whether it holds what no address can; `fill(value)`, from an example; `label(value)` and
// `thumbnail(value)`, what shows an example.

import { button, fresh, make, shorten } from "./dom.js";
import { picture, sound } from "./widget-files.js";

const MAKERS = { line, area, lines, labels, picture, sound, rows };

export function field(input, env) {
  return (MAKERS[input.kind] ?? area)(input, env);
}

function labelled(input, control, ...below) {
  control.id = fresh();
  const label = make("label", { className: "field-label", htmlFor: control.id, textContent: input.label });
  if (input.optional) label.append(make("span", { className: "hint", textContent: " (if you like)" }));
  return make("div", { className: "field-text" }, label, control, ...below);
}

function plain(input, control, env, { read = (text) => text, write = (value) => value } = {}) {
  control.addEventListener("input", env.changed);
  const value = () => (control.value.trim() ? read(control.value) : null);
  return {
    node: labelled(input, control),
    focus: () => control.focus(),
    value,
    shared: value,
    fill(given) {
      control.value = given == null ? "" : write(given);
    },
    label: (given) => (given == null ? null : shorten(String(write(given)), 60)),
    thumbnail: () => null,
  };
}

function line(input, env) {
  return plain(input, make("input", { autocomplete: "off" }), env);
}

function area(input, env) {
  const control = make("textarea", { rows: 3 });
  control.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    env.submit();
  });
  // some tasks take a list of texts where people write one
  return plain(input, control, env, { write: (given) => (Array.isArray(given) ? given[0] : given) });
}

function labels(input, env) {
  return plain(input, make("input", { autocomplete: "off", placeholder: "with commas, between, them" }), env, {
    read: (text) =>
      text
        .split(",")
        .map((one) => one.trim())
        .filter(Boolean),
    write: (given) => (Array.isArray(given) ? given.join(", ") : given),
  });
}

function lines(input, env) {
  const list = make("ol", { className: "lines" });
  const add = (text = "") => {
    const control = make("input", { value: text, autocomplete: "off" });
    const remove = button("×", () => list.children.length > 1 && (item.remove(), number(), env.changed()), "quiet");
    const item = make("li", {}, control, remove);
    control.addEventListener("input", env.changed);
    list.append(item);
    number();
    return control;
  };
  const number = () => {
    for (const [i, item] of [...list.children].entries()) {
      item.firstChild.setAttribute("aria-label", `${input.label}, ${i + 1}`);
      item.lastChild.setAttribute("aria-label", `Remove line ${i + 1}`);
    }
  };
  add();
  const value = () => {
    const found = [...list.children].map((item) => item.firstChild.value.trim()).filter(Boolean);
    return found.length ? found : null;
  };
  return {
    node: make(
      "div",
      { className: "field-text", role: "group", ariaLabel: input.label },
      make("span", { className: "field-label", textContent: input.label }),
      list,
      button("+ Add a line", () => add().focus(), "link"),
    ),
    focus: () => list.querySelector("input").focus(),
    value,
    shared: value,
    fill(given) {
      list.replaceChildren();
      (given?.length ? given : [""]).forEach((text) => add(text));
    },
    label: (given) => given && shorten(given.join(" · "), 60),
    thumbnail: () => null,
  };
}

/** A small table; what is pasted from a spreadsheet fills it from the cell on. */
function rows(input, env) {
  const table = make("table", { className: "grid" });
  let cells = [
    ["", ""],
    ["", ""],
  ];

  function build() {
    const row = (texts, r) => {
      const make_cell = (text, c) => {
        const control = make("input", { value: text, autocomplete: "off" });
        control.setAttribute(
          "aria-label",
          r === 0 ? `Name of column ${c + 1}` : `${cells[0][c] || `Column ${c + 1}`}, row ${r}`,
        );
        control.addEventListener("input", () => {
          cells[r][c] = control.value;
          env.changed();
        });
        control.addEventListener("paste", (event) => paste(event, r, c));
        return make(r === 0 ? "th" : "td", {}, control);
      };
      const remove = button("×", () => change(() => cells.length > 2 && cells.splice(r, 1)), "quiet", {
        ariaLabel: `Remove row ${r}`,
      });
      return make(
        "tr",
        {},
        ...texts.map(make_cell),
        r > 0 ? make("td", { className: "none" }, remove) : make("td", { className: "none" }),
      );
    };
    table.replaceChildren(make("tbody", {}, ...cells.map(row)));
  }
  function change(action) {
    action();
    build();
    env.changed();
  }
  function paste(event, r, c) {
    const text = event.clipboardData.getData("text").replace(/\r\n?/g, "\n").replace(/\n$/, "");
    if (!/[\t\n]/.test(text)) return;
    event.preventDefault();
    const pasted = text.split("\n").map((one) => one.split("\t"));
    change(() => {
      const width = Math.max(cells[0].length, c + Math.max(...pasted.map((one) => one.length)));
      while (cells.length < r + pasted.length) cells.push([]);
      for (const one of cells) while (one.length < width) one.push("");
      pasted.forEach((one, i) => one.forEach((word, j) => (cells[r + i][c + j] = word)));
    });
  }
  const value = () => {
    const used = cells[0].map((name, c) => [name.trim(), cells.slice(1).map((one) => one[c])]).filter(([name]) => name);
    return used.length && cells.length > 1 ? Object.fromEntries(used) : null;
  };
  build();
  return {
    node: make(
      "div",
      { className: "field-text", role: "group", ariaLabel: input.label },
      make("span", { className: "field-label", textContent: input.label }),
      make("div", { className: "scroll" }, table),
      make(
        "div",
        { className: "row" },
        button("+ Row", () => change(() => cells.push(cells[0].map(() => ""))), "link"),
        button("+ Column", () => change(() => cells.forEach((one) => one.push(""))), "link"),
        button("− Column", () => change(() => cells[0].length > 1 && cells.forEach((one) => one.pop())), "link"),
      ),
    ),
    focus: () => table.querySelector("input").focus(),
    value,
    shared: value,
    fill(given) {
      change(() => {
        const names = Object.keys(given ?? { "": [] });
        const height = Math.max(1, ...names.map((name) => given?.[name]?.length ?? 0));
        cells = [
          names,
          ...Array.from({ length: height }, (_, r) => names.map((name) => String(given?.[name]?.[r] ?? ""))),
        ];
      });
    },
    label: (given) => given && shorten(Object.keys(given).join(", "), 60),
    thumbnail: () => null,
  };
}
