// What several models of one task have in common: one form for all of them, and each one's part of a request.

import { address } from "./dom.js";

/** Why a model takes no part in a comparison of models for a task, as a sentence; null when it does. */
export function unfit(described, { task, label }) {
  if (!described.runnable) return described.problem || "This hub has no way to run it yet.";
  if (described.task === task) return null;
  const [its, ours] = [described.label, label].map((one) => one.toLowerCase());
  return `It is for ${its}, because ${described.reason}; this comparison is of models for ${ours}.`;
}

/** A description of one form for all of `described`. */
export function agree(described) {
  const inputs = new Map();
  const knobs = new Map();
  for (const one of described) {
    for (const input of one.form) {
      const known = inputs.get(input.at);
      inputs.set(input.at, known ? { ...known, optional: known.optional && input.optional } : input);
    }
    for (const knob of one.knobs) knobs.set(knob.name, [...(knobs.get(knob.name) ?? []), knob]);
  }
  return {
    form: described.every(({ chat_url: chats }) => chats) ? [...inputs.values()].map(asked) : [...inputs.values()],
    knobs: [...knobs.values()].map(joint).filter(Boolean),
    examples: described[0].examples.map((example) => absolute(plain(example), `/${described[0].name}/resolve/main/`)),
  };
}

/** Models that chat do not go on from a text: they answer it. */
function asked(input) {
  return input.at === "inputs" ? { ...input, label: "What to ask" } : input;
}

/** A knob that several have: of choices, those that all know. */
function joint(same) {
  const [first] = same;
  // the same for all, or what differs would be the draw
  if (first.name === "seed") return { ...first, preset: first.preset ?? 42 };
  if (!first.choices.length) return first;
  const choices = first.choices.filter((one) => same.every((knob) => knob.choices.includes(one)));
  return choices.length
    ? { ...first, choices, preset: choices.includes(first.preset) ? first.preset : choices[0] }
    : null;
}

/** A conversation's example is its last question. */
function plain(example) {
  if (!example.messages) return example;
  const { content } = example.messages.at(-1);
  return {
    ...example,
    inputs: typeof content === "string" ? content : content.find(({ type }) => type === "text")?.text,
  };
}

function absolute(value, files) {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map((one) => absolute(one, files));
  if (typeof value.src === "string" && !/^[a-z]+:/i.test(value.src)) return { src: address(value.src, files) };
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, absolute(one, files)]));
}

/** The part of `body` that is for a model: what its own form and parameters have. */
export function fit(body, described) {
  const paths = [...described.form.map(({ at }) => at), ...described.knobs.map(({ name }) => `parameters.${name}`)];
  const kept = {};
  for (const path of paths) {
    const names = path.split(".");
    const value = names.reduce((inner, name) => inner?.[name], body);
    if (value === undefined) continue;
    const last = names.pop();
    names.reduce((inner, name) => (inner[name] ??= {}), kept)[last] = value;
  }
  return kept;
}
