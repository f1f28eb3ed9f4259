// The data set and the file that this page shows. Any parquet file with an `image` and a `text` column will do.
const DATASET = "corral/emoji";
const FILE = "data/train-00000-of-00001.parquet";

import { asyncBufferFromUrl, parquetMetadataAsync, parquetReadObjects } from "./hyparquet.min.js";

// A Space is at HUB/-/spaces/OWNER/NAME/ and, on a host of its own, at OWNER-NAME.HUB.
const here = new URL(import.meta.url);
const hub = here.pathname.startsWith("/-/spaces/")
  ? here.origin
  : `${here.protocol}//${here.host.slice(here.host.indexOf(".") + 1)}`;

const at = (id) => document.getElementById(id);
const rows = [];
let group = "";

at("source").href = `${hub}/datasets/${DATASET}`;
at("source").textContent = DATASET;

try {
  await load();
} catch (error) {
  at("count").textContent = `The data set could not be read (${error.message})`;
}

/** First the words, which are few bytes, then the pictures a group of rows at a time: all by Range requests. */
async function load() {
  const file = await asyncBufferFromUrl({ url: `${hub}/datasets/${DATASET}/resolve/main/${FILE}` });
  const metadata = await parquetMetadataAsync(file);
  const words = metadata.schema.map((column) => column.name).filter((name) => /^(text|emoji|tags|group)/.test(name));
  rows.push(...(await parquetReadObjects({ file, metadata, columns: words })));
  rows.forEach(makeTile);
  makeGroups();
  show();
  let start = 0;
  for (const part of metadata.row_groups) {
    const end = start + Number(part.num_rows);
    // utf8: false, since the pictures are bytes
    const pictures = await parquetReadObjects({ file, metadata, columns: ["image"], rowStart: start, rowEnd: end, utf8: false });
    pictures.forEach(({ image }, i) => {
      const row = rows[start + i];
      row.url = URL.createObjectURL(new Blob([image.bytes], { type: "image/webp" }));
      row.tile.querySelector("img").src = row.url;
    });
    start = end;
  }
}

function makeTile(row) {
  const tile = document.createElement("li");
  const button = document.createElement("button");
  const picture = Object.assign(document.createElement("img"), { alt: "", width: 64, height: 64 });
  button.append(picture, document.createElement("span"));
  button.addEventListener("click", () => open(row));
  tile.append(button);
  row.tile = tile;
  // each word after a space, so that "cat" finds cats and not "delicate"
  const texts = Object.values(row).filter((v) => typeof v === "string");
  row.words = ` ${texts.join(" ").toLowerCase().replace(/[\s,:()“”"’'-]+/g, " ")}`;
}

function makeGroups() {
  const names = ["", ...new Set(rows.map((row) => row.group))];
  at("groups").append(
    ...names.map((name) => {
      const button = document.createElement("button");
      button.textContent = name ? name.replaceAll("-", " ") : "all";
      button.addEventListener("click", () => {
        group = name;
        show();
      });
      button.dataset.group = name;
      return button;
    }),
  );
}

function show() {
  const wanted = at("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const language = at("language").value;
  // Japanese and Chinese put no spaces between words
  const has = (row, word) => row.words.includes(/^[\u0000-\u024f]+$/.test(word) ? ` ${word}` : word);
  const found = rows.filter((row) => (!group || row.group === group) && wanted.every((word) => has(row, word)));
  // what is called so comes before what is only found by it
  const named = (row) => wanted.some((word) => (row[language] ?? "").toLowerCase().includes(word));
  if (wanted.length) found.sort((a, b) => named(b) - named(a));
  for (const row of found) row.tile.querySelector("span").textContent = row[language] || row.text;
  at("grid").replaceChildren(...found.map((row) => row.tile));
  at("count").textContent = `${found.length.toLocaleString()} of ${rows.length.toLocaleString()} pictures`;
  at("nothing").hidden = found.length > 0;
  for (const button of at("groups").children) button.setAttribute("aria-pressed", button.dataset.group === group);
}

function open(row) {
  at("picture").src = row.url ?? "";
  at("name").textContent = row[at("language").value] || row.text;
  at("tags").textContent = row.tags ?? "";
  at("names").replaceChildren(
    ...[...at("language").options].flatMap(({ value, text }) => [
      Object.assign(document.createElement("dt"), { textContent: text }),
      Object.assign(document.createElement("dd"), { textContent: row[value] ?? "" }),
    ]),
  );
  at("copy").textContent = `Copy ${row.emoji}`;
  at("copy").onclick = async () => {
    try {
      await navigator.clipboard.writeText(row.emoji);
      at("copy").textContent = "Copied";
    } catch {
      at("copy").textContent = `Your browser keeps us from it: ${row.emoji}`;
    }
  };
  at("detail").showModal();
}

at("search").addEventListener("input", show);
at("language").addEventListener("change", show);
at("close").addEventListener("click", () => at("detail").close());
at("detail").addEventListener("click", (event) => event.target === at("detail") && at("detail").close());
