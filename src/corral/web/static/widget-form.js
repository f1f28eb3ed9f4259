// A task's whole form: its fields, its parameters, its examples; and the body of a request from them.

import { button, fresh, make, Sentence, shorten } from "./dom.js";
import { field } from "./widget-fields.js";
import { mask } from "./widget-mask.js";

export class Form {
  /** `described` as `inference.widget.describe` has it; `files` is where the repository's files are. */
  constructor(described, { files, submit, failed, changed = () => {} }) {
    this.described = described;
    const again = () => {
      this.node?.classList.remove("shown-again");
      changed();
    };
    const env = { files, submit, failed, changed: again };
    this.fields = [];
    for (const input of described.form) {
      const under = this.fields.find((one) => one.input.kind === "picture");
      const made = input.kind === "mask" ? mask(input, env, under.field) : field(input, env);
      this.fields.push({ input, field: made });
    }
    this.knobs = described.knobs.map((one) => knob(one, env));
    this.node = make("div", { className: "widget-fields" }, ...this.fields.map((one) => one.field.node));
    this.settings = make(
      "details",
      { className: "knobs", hidden: !this.knobs.length },
      make("summary", { textContent: "Parameters" }),
    );
    this.settings.append(...this.knobs.map((one) => one.node));
  }

  /** The request's body. Throws a Sentence for what is missing or out of bounds. */
  async body() {
    const body = {};
    for (const { input, field } of this.fields) {
      const value = await field.value();
      if (value == null && !input.optional) {
        field.focus?.();
        throw new Sentence(missing(input));
      }
      if (value != null) put(body, input.at, value);
    }
    for (const one of this.knobs) {
      const value = one.value();
      if (value == null) continue;
      if (value instanceof Sentence) {
        this.settings.open = true;
        throw value;
      }
      put(body, `parameters.${one.name}`, value);
    }
    return body;
  }

  /** What an address can hold of it, and whether something is left out: a file that is only on this computer. */
  shared() {
    const body = {};
    let whole = true;
    for (const { input, field } of this.fields) {
      const value = field.shared();
      if (value != null) put(body, input.at, value);
      else if (field.local?.()) whole = false;
    }
    for (const one of this.knobs) {
      const value = one.value();
      if (value != null && !(value instanceof Sentence)) put(body, `parameters.${one.name}`, value);
    }
    return { body, whole };
  }

  async fill(example) {
    for (const { input, field } of this.fields) await field.fill(get(example, input.at) ?? null);
    // what it does not say stays as it was set
    for (const one of this.knobs) {
      const value = get(example, `parameters.${one.name}`);
      if (value !== undefined) one.fill(value);
    }
  }

  /** Take over what another form holds where the two have the same input. */
  async adopt(other) {
    for (const { input, field } of this.fields) {
      const old = other.fields.find((one) => one.input.at === input.at && one.input.kind === input.kind);
      if (old) await (field.adopt?.(old.field) ?? field.fill(old.field.shared()));
    }
    for (const one of this.knobs) {
      const old = other.knobs.find(({ name }) => name === one.name)?.value();
      if (old != null && !(old instanceof Sentence)) one.fill(old);
    }
  }

  /** The first value in `body` of an input of this kind. */
  valueOf(body, ...kinds) {
    const found = this.fields.find(({ input }) => kinds.includes(input.kind));
    return found ? get(body, found.input.at) : undefined;
  }

  /** Whether the first example is in the form from the start: what is only words costs nothing to lay out. */
  get startsFilled() {
    return !this.fields.some(({ input }) => ["picture", "mask", "sound"].includes(input.kind));
  }

  /** The address of the chosen picture, if there is one. */
  get picture() {
    return this.fields.find(({ input }) => input.kind === "picture")?.field.url ?? null;
  }

  /** Buttons that fill the form with an example, then do `then`. */
  examples(then, failed) {
    const list = make("div", { className: "examples", role: "group", ariaLabel: "Examples" });
    const { examples } = this.described;
    // the one that is in the form already needs no button
    for (const example of this.startsFilled && examples.length === 1 ? [] : examples) {
      const parts = this.fields
        .map(({ input, field }) => [field, get(example, input.at)])
        .filter(([, value]) => value != null);
      // a page loads nothing from other hosts
      if (!parts.length || parts.some(([, value]) => /^[a-z]+:/i.test(value?.src ?? ""))) continue;
      const title =
        example.example_title ??
        shorten(
          parts
            .map(([field, value]) => field.label(value))
            .filter(Boolean)
            .join(" · "),
          60,
        );
      const thumbnail = parts.map(([field, value]) => field.thumbnail(value)).find(Boolean);
      const press = button(
        thumbnail ? "" : title,
        async () => {
          try {
            await this.fill(example);
            then();
          } catch (error) {
            failed(error);
          }
        },
        "plain",
        { title },
      );
      if (thumbnail) press.append(make("img", { src: thumbnail, alt: title, loading: "lazy" }));
      list.append(press);
    }
    if (!list.children.length) return null;
    list.prepend(make("span", { className: "hint", textContent: "Try" }));
    return list;
  }
}

function missing({ kind, label }) {
  if (kind === "picture") return "Choose a picture first.";
  if (kind === "sound") return "Choose or record a sound first.";
  if (kind === "mask") return "Paint over what is to change first.";
  return `Fill in “${label}” first.`;
}

function get(body, at) {
  return at.split(".").reduce((value, name) => value?.[name], body);
}

function put(body, at, value) {
  const names = at.split(".");
  const last = names.pop();
  let inner = body;
  for (const name of names) inner = inner[name] ??= {};
  inner[last] = value;
}

/** One parameter (`inference.tasks.base.Knob`). Left empty, the model decides. */
function knob({ name, label, low, high, step, preset, choices }, env) {
  const number = low != null || high != null;
  let control;
  if (choices.length) {
    const options = (preset == null ? ["", ...choices] : choices).map((one) =>
      make("option", { value: one, textContent: one || "default" }),
    );
    control = make("select", {}, ...options);
  } else if (number) {
    control = make("input", {
      type: "number",
      min: low ?? "",
      max: high ?? "",
      step: step ?? "any",
      placeholder: "default",
    });
    control.inputMode = Number.isInteger(step) ? "numeric" : "decimal";
  } else {
    control = make("input", { autocomplete: "off" });
  }
  control.id = fresh();
  control.value = preset ?? "";
  control.addEventListener("input", env.changed);
  const bounds =
    low != null && high != null && high < 1e6
      ? make("span", { className: "hint", textContent: ` ${low} to ${high}` })
      : null;
  return {
    name,
    node: make(
      "div",
      { className: "knob" },
      make("label", { htmlFor: control.id, textContent: label }, bounds),
      control,
    ),
    value() {
      if (!number) return control.value || null;
      const off = control.validity.badInput || control.validity.rangeUnderflow || control.validity.rangeOverflow;
      if (off) return new Sentence(`“${label}” must be a number from ${low} to ${high}.`);
      return control.value === "" ? null : Number(control.value);
    },
    fill(value) {
      control.value = value ?? preset ?? "";
    },
  };
}
