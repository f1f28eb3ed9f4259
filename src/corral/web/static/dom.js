// What the islands make their pieces of page of.

export function make(tag, { aria, style, ...properties } = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  for (const [name, value] of Object.entries(aria ?? {})) node.setAttribute(`aria-${name}`, value);
  Object.assign(node.style, style ?? {});
  node.append(...children.filter((child) => child != null));
  return node;
}

export function draw(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

export function button(text, action, className = "plain small", properties = {}) {
  const node = make("button", { type: "button", textContent: text, className, ...properties });
  node.addEventListener("click", action);
  return node;
}

let made = 0;

/** An id that nothing else on the page has. */
export function fresh() {
  made += 1;
  return `c-x${made}`;
}

/** What went wrong, as a sentence for people. */
export class Sentence extends Error {}

export function shorten(text, most) {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > most ? `${line.slice(0, most - 1)}…` : line;
}

export function sizeOf(bytes) {
  const unit = ["B", "kB", "MB", "GB"].findIndex((_, i) => bytes < 999.5 * 1000 ** i);
  return unit < 0
    ? `${(bytes / 1e9).toFixed(0)} GB`
    : `${Number((bytes / 1000 ** unit).toPrecision(3))} ${["B", "kB", "MB", "GB"][unit]}`;
}

/** The bytes of a Blob in base64. */
export function base64(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(new Sentence("This file could not be read. Choose it again."));
    reader.readAsDataURL(blob);
  });
}

/** A data URL as a Blob: the page's policy lets no script fetch one. */
export function blobOf(url) {
  const [head, data] = url.split(",", 2);
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  return new Blob([bytes], { type: /^data:([^;]*)/.exec(head)[1] });
}

/** A picture that has loaded. */
export async function loaded(src, alt = "") {
  const image = make("img", { src, alt });
  try {
    await image.decode();
  } catch {
    throw new Sentence("This picture cannot be shown here. Choose a PNG, JPEG or WebP file.");
  }
  return image;
}

const shades = new Map();
const SHADES = 10;

/** The class that gives things with this label their colour, the same one everywhere on the page. */
export function shade(label) {
  if (!shades.has(label)) shades.set(label, shades.size % SHADES);
  return `shade-${shades.get(label)}`;
}

/** A file of this hub by its address. An example may name one by its path below `files`, where a repository is. */
export function address(src, files) {
  return src.startsWith("/") ? src : `${files}${src.split("/").map(encodeURIComponent).join("/")}`;
}

/** A mask's white parts in a colour, the rest transparent. */
export function tinted(image, color) {
  const made = make("canvas", { width: image.naturalWidth, height: image.naturalHeight });
  const pen = made.getContext("2d");
  pen.drawImage(image, 0, 0);
  const pixels = pen.getImageData(0, 0, made.width, made.height);
  for (let i = 0; i < pixels.data.length; i += 4) pixels.data[i + 3] = pixels.data[i];
  pen.putImageData(pixels, 0, 0);
  pen.globalCompositeOperation = "source-in";
  pen.fillStyle = color;
  pen.fillRect(0, 0, made.width, made.height);
  return made;
}
