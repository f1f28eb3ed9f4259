// A mask drawn over the picture of the same form: white is what the model is to do over, black what it leaves.

import { address, base64, button, fresh, loaded, make, tinted } from "./dom.js";

const STROKE = "rgb(225 60 60)";
/** Pixels of the picture's longer side, of a thousand, that the keyboard moves the brush by. */
const STEP = 25;

/** `under` is the field of the picture. */
export function mask(input, env, under) {
  const canvas = make("canvas", { tabIndex: 0, className: "mask", role: "application" });
  canvas.setAttribute("aria-label", `${input.label}: arrow keys move the brush, hold Space to paint, U undoes`);
  const pen = canvas.getContext("2d");
  const cursor = make("span", { className: "brush", hidden: true });
  const picture = make("img", { alt: "" });
  const board = make("div", { className: "mask-board" }, picture, canvas, cursor);
  const size = make("input", { type: "range", min: 2, max: 30, value: 9, id: fresh() });
  const undo = button("Undo", () => {
    strokes.pop();
    redraw();
  });
  const clear = button("Clear", () => {
    strokes = [];
    redraw();
  });
  const all = button("Paint all", () => {
    strokes = [...strokes, { all: true }];
    redraw();
  });
  const tools = make(
    "div",
    { className: "row tools" },
    make("label", { htmlFor: size.id, textContent: "Brush" }),
    size,
    undo,
    clear,
    all,
  );
  const empty = make("p", { className: "hint", textContent: "Choose a picture, then paint over what is to change." });
  const hint = make("p", {
    className: "hint",
    textContent: "Paint with the pointer, or by keyboard: arrow keys move the brush, Space paints.",
  });
  const node = make(
    "div",
    { className: "field-mask" },
    make("span", { className: "field-label", textContent: input.label }),
    empty,
    make("div", { hidden: true }, board, tools, hint),
  );
  const body = node.lastElementChild;
  let strokes = [];
  let painting = null;
  let at = null;
  let pressed = false;

  const width = () => (Number(size.value) / 100) * Math.max(canvas.width, canvas.height);

  under.onChange(async (chosen) => {
    strokes = [];
    at = null;
    body.hidden = !chosen;
    empty.hidden = Boolean(chosen);
    if (!chosen) return;
    picture.src = chosen.url;
    await picture.decode();
    canvas.width = picture.naturalWidth;
    canvas.height = picture.naturalHeight;
    redraw();
  });

  function stroke(pen, { all, image, points, width }, color) {
    pen.fillStyle = pen.strokeStyle = color;
    if (all) return pen.fillRect(0, 0, canvas.width, canvas.height);
    if (image) return pen.drawImage(tinted(image, color), 0, 0, canvas.width, canvas.height);
    pen.lineWidth = width;
    pen.lineCap = pen.lineJoin = "round";
    pen.beginPath();
    // a line of no length is not drawn
    pen.arc(...points[0], width / 2, 0, 2 * Math.PI);
    pen.fill();
    pen.beginPath();
    for (const point of points) pen.lineTo(...point);
    pen.stroke();
  }
  function redraw() {
    pen.clearRect(0, 0, canvas.width, canvas.height);
    for (const one of strokes) stroke(pen, one, STROKE);
    undo.disabled = clear.disabled = !strokes.length;
    showCursor();
    env.changed();
  }
  function begin(point) {
    painting = { points: [point], width: width() };
    strokes = [...strokes, painting];
    redraw();
  }
  function move(point) {
    const last = painting.points.at(-1);
    painting.points.push(point);
    stroke(pen, { points: [last, point], width: painting.width }, STROKE);
    showCursor();
  }
  function showCursor() {
    cursor.hidden = !at;
    if (!at) return;
    const scale = 100 / canvas.width;
    Object.assign(cursor.style, {
      left: `${at[0] * scale}%`,
      top: `${(at[1] / canvas.height) * 100}%`,
      width: `${width() * scale}%`,
    });
  }
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [
      ((event.clientX - box.left) / box.width) * canvas.width,
      ((event.clientY - box.top) / box.height) * canvas.height,
    ];
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    begin(place(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    at = place(event);
    if (painting) move(at);
    else showCursor();
  });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => (painting = null));
  canvas.addEventListener("pointerleave", () => {
    at = null;
    showCursor();
  });
  size.addEventListener("input", showCursor);
  const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  canvas.addEventListener("keydown", (event) => {
    const way = ways[event.key];
    if (way) {
      const step = (STEP / 1000) * Math.max(canvas.width, canvas.height);
      const from = at ?? [canvas.width / 2, canvas.height / 2];
      at = [
        Math.max(0, Math.min(canvas.width, from[0] + way[0] * step)),
        Math.max(0, Math.min(canvas.height, from[1] + way[1] * step)),
      ];
      if (pressed && painting) move(at);
      showCursor();
    } else if (event.key === " ") {
      at ??= [canvas.width / 2, canvas.height / 2];
      if (!pressed) begin(at);
      pressed = true;
    } else if (event.key.toLowerCase() === "u") undo.click();
    else return;
    event.preventDefault();
  });
  canvas.addEventListener("keyup", (event) => {
    if (event.key !== " ") return;
    pressed = false;
    painting = null;
  });
  canvas.addEventListener("focus", () => {
    if (canvas.matches(":focus-visible")) at ??= [canvas.width / 2, canvas.height / 2];
    showCursor();
  });
  canvas.addEventListener("blur", () => {
    pressed = false;
    painting = at = null;
    showCursor();
  });

  return {
    node,
    async value() {
      if (!strokes.length) return null;
      const made = make("canvas", { width: canvas.width, height: canvas.height });
      const pen = made.getContext("2d");
      stroke(pen, { all: true }, "black");
      for (const one of strokes) stroke(pen, one, "white");
      return base64(await new Promise((resolve) => made.toBlob(resolve, "image/png")));
    },
    shared: () => null,
    local: () => strokes.length > 0,
    async fill(value) {
      if (!value) return;
      strokes = [{ image: await loaded(address(value.src, env.files)) }];
      redraw();
    },
    label: () => null,
    thumbnail: () => null,
  };
}
