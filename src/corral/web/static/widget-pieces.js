// What several kinds of answers are shown with.

import { copy } from "./corral.js";
import { button, make, shade } from "./dom.js";

export const percent = (score) => `${(score * 100).toFixed(score < 0.1 && score > 0 ? 2 : 1)} %`;

/** A bar for each label, as long as its score. */
export function rowsOf(found, write) {
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

export function legend(counts) {
  const items = [...counts].map(([label, count]) =>
    make(
      "li",
      { className: `key ${shade(label)}` },
      make("i", { aria: { hidden: "true" } }),
      `${label} `,
      make("span", { className: "n", textContent: count }),
    ),
  );
  return make("ul", { className: "legend" }, ...items);
}

/** JSON for people: what is long and in base64 is cut short. */
export function written(value) {
  return JSON.stringify(
    value,
    (_, one) =>
      typeof one === "string" && one.length > 2000 ? `${one.slice(0, 60)}… (${one.length} characters)` : one,
    2,
  );
}

export function nothing(text) {
  return make("p", { className: "hint", textContent: text });
}

export function copying(text, label) {
  const press = button(
    "Copy",
    async () => {
      await copy(text());
      press.textContent = "Copied";
      setTimeout(() => (press.textContent = "Copy"), 1500);
    },
    "link copying",
    { ariaLabel: label },
  );
  return press;
}
