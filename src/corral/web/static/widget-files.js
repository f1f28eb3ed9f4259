// Fields that take a file: chosen, dropped, pasted, recorded, or drawn over a picture.

import { address, base64, button, fresh, loaded, make, Sentence, sizeOf } from "./dom.js";
import { recorder, wav } from "./widget-sound.js";

/** Bytes of a file that a request has room for: base64 makes four of three, and the hub takes 32 MiB. */
const MOST = 22 * 2 ** 20;
/** What the hub reads as it is; a browser turns all else that it knows into one of these. */
const PICTURES = ["image/png", "image/jpeg", "image/webp", "image/gif", "image/bmp"];
const SOUNDS = ["audio/wav", "audio/x-wav", "audio/wave", "audio/flac", "audio/x-flac", "audio/mpeg", "audio/ogg"];

async function download(url) {
  const answer = await fetch(url).catch(() => null);
  if (!answer?.ok) throw new Sentence("This file could not be loaded from the hub.");
  return answer.blob();
}

/** What pictures and sounds have in common. `kind` is `image` or `audio`; `show(blob, url)` gives the node to show. */
function file(input, env, { kind, what, accept, convert, show }) {
  let chosen = null;
  let source = null;
  const listeners = [];
  const choose = make("input", { type: "file", accept, id: fresh() });
  const words = make(
    "span",
    { className: "drop-words" },
    `Drop a ${what} here, or `,
    make("b", { textContent: "choose one" }),
  );
  const shown = make("div", { className: "drop-shown", hidden: true });
  const drop = make("label", { className: "drop", htmlFor: choose.id }, choose, words);
  const clear = button("Remove", () => set(null), "link", { hidden: true, ariaLabel: `Remove the ${what}` });
  const node = make(
    "div",
    { className: "field-file" },
    make("span", { className: "field-label", textContent: input.label, id: fresh() }),
    drop,
    shown,
    clear,
  );
  choose.setAttribute("aria-label", `${input.label}: choose a ${what}`);

  async function set(blob, from = null) {
    if (blob && blob.size > MOST)
      throw new Sentence(`This ${what} has ${sizeOf(blob.size)}: choose one of at most ${sizeOf(MOST)}.`);
    choose.value = "";
    const good = blob && (await convert(blob));
    const url = good && URL.createObjectURL(good);
    // what cannot be shown leaves the one before in its place
    const seen = good ? [await show(good, url)] : [];
    if (chosen) URL.revokeObjectURL(chosen.url);
    chosen = good ? { blob: good, url } : null;
    source = from;
    shown.replaceChildren(...seen);
    shown.hidden = clear.hidden = !chosen;
    node.classList.toggle("chosen", Boolean(chosen));
    words.lastChild.textContent = chosen ? "choose another" : "choose one";
    for (const listener of listeners) await listener(chosen);
    env.changed();
  }
  async function take(data) {
    // a picture dragged from one of this hub's pages comes with its address
    const link = data.getData("text/uri-list").split("\n")[0];
    const own =
      link && new URL(link, location.href).origin === location.origin ? new URL(link, location.href).pathname : null;
    const found = [...data.files].find((one) => one.type.startsWith(`${kind}/`));
    if (found && !own) await set(found);
    else if (own) await set(await download(own), own);
    else if (found) await set(found);
    else throw new Sentence(`That is no ${what}.`);
  }
  const attempt = (action) => action().catch(env.failed);
  choose.addEventListener("change", () => choose.files[0] && attempt(() => set(choose.files[0])));
  for (const name of ["dragenter", "dragover"]) {
    node.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  for (const name of ["dragleave", "drop"]) node.addEventListener(name, () => drop.classList.remove("over"));
  node.addEventListener("drop", (event) => {
    event.preventDefault();
    attempt(() => take(event.dataTransfer));
  });
  addEventListener("paste", (event) => {
    const pasted = [...event.clipboardData.files].find((one) => one.type.startsWith(`${kind}/`));
    // one paste is for one field: the first that has nothing yet
    if (!pasted || event.defaultPrevented || (chosen && !node.contains(document.activeElement))) return;
    event.preventDefault();
    attempt(() => set(pasted));
  });
  return {
    node,
    drop,
    set,
    onChange: (listener) => listeners.push(listener),
    get url() {
      return chosen?.url ?? null;
    },
    held: () => [chosen?.blob ?? null, source],
    adopt: (other) => set(...other.held()),
    value: () => chosen && base64(chosen.blob),
    shared: () => (source ? { src: source } : null),
    local: () => Boolean(chosen && !source),
    async fill(value) {
      if (!value) return set(null);
      const from = address(value.src, env.files);
      return set(await download(from), from);
    },
    label: (value) => value?.src?.split("/").pop(),
    thumbnail: (value) => (kind === "image" && value?.src ? address(value.src, env.files) : null),
  };
}

export function picture(input, env) {
  return file(input, env, {
    kind: "image",
    what: "picture",
    accept: "image/*",
    convert: async (blob) => (PICTURES.includes(blob.type) ? blob : asPng(blob)),
    show: (_, url) => loaded(url, input.label),
  });
}

async function asPng(blob) {
  const url = URL.createObjectURL(blob);
  try {
    const image = await loaded(url);
    const canvas = make("canvas", { width: image.naturalWidth, height: image.naturalHeight });
    canvas.getContext("2d").drawImage(image, 0, 0);
    return await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  } finally {
    URL.revokeObjectURL(url);
  }
}

export function sound(input, env) {
  const field = file(input, env, {
    kind: "audio",
    what: "sound",
    accept: "audio/*",
    convert: async (blob) => (SOUNDS.includes(blob.type) ? blob : wav(blob)),
    show: (_, url) => make("audio", { src: url, controls: true, ariaLabel: input.label }),
  });
  field.drop.after(recorder((blob) => field.set(blob).catch(env.failed), env.failed));
  return field;
}
