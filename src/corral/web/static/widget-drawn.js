// Answers that are drawn over the picture they are about: boxes, masks, points.

import { draw, fresh, loaded, make, shade, tinted } from "./dom.js";

/** The picture with a drawing of the same size over it; marks are placed in its own pixels. */
async function canvas(form) {
  const image = await loaded(form.picture, "The picture");
  const width = image.naturalWidth;
  const height = image.naturalHeight;
  const layer = draw("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" });
  const node = make("figure", { className: "drawn" }, image, layer);
  return { node, image, layer, width, height };
}

/** A label at a place of the picture. It is no part of the drawing, whose letters would shrink with the picture. */
function tag(label, words, { xmin, ymin, xmax }, { width, height }) {
  const node = make("span", { className: `tag ${shade(label)}`, textContent: words });
  const right = xmin / width > 0.6;
  const share = Math.max(0, right ? width - xmax : xmin) / width;
  Object.assign(node.style, {
    top: `${(Math.max(0, ymin) / height) * 100}%`,
    [right ? "right" : "left"]: `${share * 100}%`,
  });
  // there is no room above the picture
  if (ymin / height < 0.06) node.classList.add("inside");
  return node;
}

const IRREGULAR = {
  person: "people",
  man: "men",
  woman: "women",
  child: "children",
  mouse: "mice",
  knife: "knives",
  sheep: "sheep",
  skis: "skis",
  scissors: "scissors",
};

/** "2 cars", "1 person", "3 × LABEL_1". */
export function counted(count, label) {
  if (!/^[a-z][a-z ]*$/.test(label)) return `${count} × ${label}`;
  if (count === 1) return `1 ${label}`;
  const [, head, last] = /^(.* )?([a-z]+)$/.exec(label);
  let many = IRREGULAR[last];
  if (!many && /(s|x|z|ch|sh)$/.test(last)) many = `${last}es`;
  if (!many && /[^aeiou]y$/.test(last)) many = `${last.slice(0, -1)}ies`;
  return `${count} ${head ?? ""}${many ?? `${last}s`}`;
}

function tally(found) {
  const counts = new Map();
  for (const { label } of found) counts.set(label, (counts.get(label) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]);
}

const percent = (score) => `${Math.round(score * 100)} %`;

/** How many of each, in words: what somebody who does not see the picture hears. */
function summary(found, none) {
  const counts = tally(found);
  const items = counts.map(([label, count]) =>
    make("li", { className: `key ${shade(label)}` }, make("i", { aria: { hidden: "true" } }), counted(count, label)),
  );
  return counts.length
    ? make("ul", { className: "legend counts" }, ...items)
    : make("p", { className: "hint", textContent: none });
}

function nothing(form) {
  const knob = form.described.knobs.find(({ name }) => name === "threshold");
  return knob ? `Nothing was found. A lower “${knob.label}” under Parameters may find more.` : "Nothing was found.";
}

/** A slider for how sure the model must be, from `start` on: `change` hears of each move. */
function threshold(scores, start, change) {
  const from = scores.some((score) => score >= start) ? start : 0;
  const control = make("input", { type: "range", min: 0, max: 1, step: 0.01, value: from, id: fresh() });
  const value = make("output", { htmlFor: control.id, className: "n" });
  const apply = () => {
    value.textContent = percent(Number(control.value));
    control.setAttribute("aria-valuetext", value.textContent);
    change(Number(control.value));
  };
  control.addEventListener("input", apply);
  apply();
  return make(
    "div",
    { className: "row slider" },
    make("label", { htmlFor: control.id, textContent: "Sure at least" }),
    control,
    value,
  );
}

export function boxes(node, { form, body }) {
  return {
    async show({ value }) {
      const board = await canvas(form);
      const said = make("div", { aria: { live: "polite" } });
      const list = make("ol", { className: "found" });
      const change = (least) => {
        const found = all.filter((one) => one.score >= least);
        board.layer.replaceChildren();
        board.node.querySelectorAll(".tag").forEach((one) => one.remove());
        // the surest last, on top of the others
        for (const one of [...found].reverse()) {
          const { xmin, ymin, xmax, ymax } = one.box;
          const place = { x: xmin, y: ymin, width: Math.max(0, xmax - xmin), height: Math.max(0, ymax - ymin) };
          board.layer.append(
            draw("rect", { ...place, class: "halo" }),
            draw("rect", { ...place, class: `box-line ${shade(one.label)}` }),
          );
          board.node.append(tag(one.label, `${one.label} ${percent(one.score)}`, one.box, board));
        }
        said.replaceChildren(summary(found, nothing(form)));
        list.replaceChildren(
          ...found.map((one) =>
            make("li", { textContent: `${one.label}, ${percent(one.score)}, from ${where(one.box)}` }),
          ),
        );
      };
      const all = [...value].sort((a, b) => b.score - a.score);
      const slider = all.length
        ? threshold(
            all.map(({ score }) => score),
            body.parameters?.threshold ?? 0.5,
            change,
          )
        : null;
      if (!slider) change(0);
      const every = make(
        "details",
        { className: "uses", hidden: !all.length },
        make("summary", { textContent: "All boxes as a list" }),
        list,
      );
      node.replaceChildren(board.node, said, ...(slider ? [slider] : []), every);
    },
  };
}

const spot = ({ x, y }) => `${Math.round(x)}, ${Math.round(y)}`;
const where = ({ xmin, ymin, xmax, ymax }) =>
  `${Math.round(xmin)}, ${Math.round(ymin)} to ${Math.round(xmax)}, ${Math.round(ymax)}`;

export function masks(node, { form }) {
  return {
    async show({ value }) {
      const board = await canvas(form);
      board.layer.remove();
      const list = make("ul", { className: "legend" });
      for (const one of value) {
        const image = await loaded(`data:image/png;base64,${one.mask}`);
        const box = make("input", { type: "checkbox", checked: true, id: fresh() });
        const name = make(
          "label",
          { htmlFor: box.id, className: `key ${shade(one.label)}` },
          box,
          make("i", { aria: { hidden: "true" } }),
          one.label,
        );
        if (one.score != null) name.append(make("span", { className: "n", textContent: ` ${percent(one.score)}` }));
        list.append(make("li", {}, name));
        // the colour is a style: it is known once the label is on the page
        node.append(list);
        const layer = tinted(image, getComputedStyle(name.querySelector("i")).backgroundColor);
        layer.className = "mask-layer";
        layer.setAttribute("aria-hidden", "true");
        box.addEventListener("change", () => (layer.hidden = !box.checked));
        for (const [event, on] of [
          ["pointerenter", true],
          ["focusin", true],
          ["pointerleave", false],
          ["focusout", false],
        ]) {
          name.addEventListener(event, () => layer.classList.toggle("lit", on));
        }
        board.node.append(layer);
      }
      if (!value.length) list.append(make("li", { className: "hint", textContent: nothing(form) }));
      node.replaceChildren(board.node, list);
    },
  };
}

export function points(node, { form }) {
  return {
    async show({ value }) {
      const board = await canvas(form);
      const radius = Math.max(board.width, board.height) / 160;
      const change = (least) => {
        board.layer.replaceChildren();
        value.forEach((one, n) => drawPoints(one, n, (point) => (point.score ?? 1) >= least));
      };
      const drawPoints = (one, n, sure) => {
        const color = shade(value.length > 1 ? `${one.label} ${n + 1}` : one.label);
        const at = (i) => one.keypoints[i];
        for (const [from, to] of (one.edges ?? []).filter((edge) => edge.every((i) => at(i) && sure(at(i))))) {
          const line = { x1: at(from).x, y1: at(from).y, x2: at(to).x, y2: at(to).y };
          board.layer.append(
            draw("line", { ...line, class: "halo" }),
            draw("line", { ...line, class: `box-line ${color}` }),
          );
        }
        for (const point of one.keypoints.filter(sure)) {
          board.layer.append(
            draw(
              "circle",
              { cx: point.x, cy: point.y, r: radius, class: `dot ${color}` },
              draw("title", {}, `${point.label}, ${percent(point.score ?? 1)}`),
            ),
          );
        }
      };
      const scores = value.flatMap((one) => one.keypoints.map((point) => point.score ?? 1));
      const rows = value.flatMap((one) =>
        one.keypoints.map((point) =>
          make("li", {
            textContent: `${one.label}: ${point.label} at ${spot(point)}, ${percent(point.score ?? 1)}`,
          }),
        ),
      );
      node.replaceChildren(
        board.node,
        summary(value, nothing(form)),
        ...(scores.length ? [threshold(scores, 0.3, change)] : []),
        make(
          "details",
          { className: "uses", hidden: !rows.length },
          make("summary", { textContent: "All points as a list" }),
          make("ol", { className: "found" }, ...rows),
        ),
      );
    },
  };
}
