// Answers that are a picture or a sound.

import { blobOf, fresh, loaded, make } from "./dom.js";

const ENDINGS = {
  "image/png": "png",
  "image/jpeg": "jpg",
  "image/webp": "webp",
  "audio/wav": "wav",
  "audio/x-wav": "wav",
  "audio/flac": "flac",
  "audio/mpeg": "mp3",
  "audio/ogg": "ogg",
};

const UNITS = { seconds: (value) => `${value.toFixed(1)} s`, rate: (value) => `${value} Hz` };

function media(result) {
  const blob = blobOf(result.media);
  return { blob, url: URL.createObjectURL(blob) };
}

function saving(blob, url, name) {
  return make("a", {
    href: url,
    download: `${name}.${ENDINGS[blob.type] ?? "bin"}`,
    className: "button plain small",
    textContent: "Download",
  });
}

/** What the engine tells of its answer beside it: the seed that drew it, for one. */
function told(about, known = []) {
  const words = Object.entries(about ?? {})
    .filter(([name, value]) => !known.includes(name) && ["string", "number"].includes(typeof value))
    .map(([name, value]) => UNITS[name]?.(value) ?? `${name.replaceAll("_", " ")} ${value}`);
  return words.length ? make("span", { className: "hint", textContent: words.join(" · ") }) : null;
}

export function picture(node, { form }) {
  return {
    async show(result) {
      const { blob, url } = media(result);
      const image = await loaded(url, "The answer");
      const before = form.picture && (await loaded(form.picture, "The picture that was given"));
      const size = make("span", { className: "hint", textContent: `${image.naturalWidth} × ${image.naturalHeight}` });
      const row = make(
        "div",
        { className: "row" },
        saving(blob, url, "picture"),
        size,
        told(result.about, ["width", "height"]),
      );
      node.replaceChildren(before ? beside(before, image) : make("figure", { className: "drawn" }, image), row);
    },
  };
}

/** Two pictures of one shape lie on each other, with a divide to move; others stand side by side. */
function beside(before, after) {
  const shape = (image) => image.naturalWidth / image.naturalHeight;
  if (Math.abs(shape(before) / shape(after) - 1) > 0.03) {
    const captioned = (image, words) =>
      make("figure", { className: "drawn" }, image, make("figcaption", { className: "hint", textContent: words }));
    return make("div", { className: "side-by-side" }, captioned(before, "Before"), captioned(after, "After"));
  }
  const control = make("input", {
    type: "range",
    min: 0,
    max: 100,
    value: 50,
    id: fresh(),
    ariaLabel: "Divide between before and after",
  });
  const divide = make("i", { className: "divide", aria: { hidden: "true" } });
  const figure = make("figure", { className: "drawn turned" }, before, after, divide);
  const apply = () => {
    after.style.clipPath = `inset(0 0 0 ${control.value}%)`;
    divide.style.left = `${control.value}%`;
  };
  const pull = (event) => {
    const box = figure.getBoundingClientRect();
    control.value = ((event.clientX - box.left) / box.width) * 100;
    apply();
  };
  figure.addEventListener("pointerdown", (event) => {
    figure.setPointerCapture(event.pointerId);
    pull(event);
  });
  figure.addEventListener("pointermove", (event) => event.buttons && pull(event));
  control.addEventListener("input", apply);
  apply();
  return make(
    "div",
    { className: "turn" },
    figure,
    make(
      "div",
      { className: "row slider" },
      make("span", { textContent: "Before" }),
      control,
      make("span", { textContent: "After" }),
    ),
  );
}

export function sound(node) {
  return {
    show(result) {
      const { blob, url } = media(result);
      const player = make("audio", { src: url, controls: true, ariaLabel: "The answer" });
      node.replaceChildren(player, make("div", { className: "row" }, saving(blob, url, "sound"), told(result.about)));
    },
  };
}
