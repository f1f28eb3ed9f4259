// Uploads by the public API, as any client does: ask how, send large files over LFS, then one commit for all.

import { sha256 } from "./sha256.js";

const form = document.querySelector("[data-upload]");
const { api, git, revision, folder, done } = form.dataset;
const drop = form.querySelector("[data-drop]");
const input = drop.querySelector("input");
const list = form.querySelector("[data-list]");
const send = form.querySelector("[data-send]");
const status = form.querySelector("[data-status]");
const LFS = { "Content-Type": "application/vnd.git-lfs+json", Accept: "application/vnd.git-lfs+json" };
const chosen = new Map();

function add(file, path) {
  const full = folder ? `${folder}/${path}` : path;
  chosen.get(full)?.row.remove();
  const row = document.createElement("li");
  const name = document.createElement("span");
  name.textContent = full;
  const size = document.createElement("span");
  size.className = "dim";
  size.textContent = bytes(file.size);
  const remove = document.createElement("button");
  remove.type = "button";
  remove.className = "quiet";
  remove.textContent = "×";
  remove.setAttribute("aria-label", `Leave out ${full}`);
  remove.addEventListener("click", () => {
    chosen.delete(full);
    row.remove();
    send.disabled = chosen.size === 0;
  });
  row.append(name, size, remove);
  list.append(row);
  chosen.set(full, { path: full, file, row, size });
  send.disabled = false;
}

function bytes(count) {
  for (const unit of ["Bytes", "kB", "MB", "GB"]) {
    if (count < 999.5 || unit === "GB") return `${Number(count.toPrecision(3))} ${unit}`;
    count /= 1000;
  }
}

input.addEventListener("change", () => {
  for (const file of input.files) add(file, file.webkitRelativePath || file.name);
  input.value = "";
});
for (const kind of ["dragenter", "dragover"]) {
  drop.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
drop.addEventListener("drop", async (event) => {
  event.preventDefault();
  const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) for (const file of event.dataTransfer.files) add(file, file.name);
  for (const entry of entries) await walk(entry, "");
});

async function walk(entry, prefix) {
  if (entry.isFile) {
    add(await new Promise((resolve, reject) => entry.file(resolve, reject)), prefix + entry.name);
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    // a reader gives its entries in portions
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return;
    for (const inner of some) await walk(inner, `${prefix}${entry.name}/`);
  }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  send.disabled = true;
  const files = [...chosen.values()];
  try {
    const ignored = await ask(files);
    const wanted = files.filter((one) => one.mode !== "ignore");
    for (const one of wanted) if (one.mode === "lfs") await large(one);
    say("Making the commit…");
    await commit(wanted);
    say(ignored ? `Committed, without ${ignored} that .gitignore leaves out.` : "Committed.");
    location.href = done;
  } catch (error) {
    say(error.message, true);
    send.disabled = false;
  }
});

function say(text, bad = false) {
  status.textContent = text;
  status.classList.toggle("bad", bad);
}

async function answer(response) {
  if (response.ok) return response;
  let text = response.headers.get("X-Error-Message");
  try {
    const told = await response.json();
    text = told.error ?? told.message ?? text;
  } catch {
    // no JSON: the status has to do
  }
  throw new Error(text || `The hub answered ${response.status}. Try again.`);
}

async function ask(files) {
  say("Asking the hub how to send the files…");
  let ignored = 0;
  for (let at = 0; at < files.length; at += 256) {
    const some = files.slice(at, at + 256);
    const body = { files: await Promise.all(some.map(candidate)) };
    const response = await answer(
      await fetch(`${api}/preupload/${encodeURIComponent(revision)}`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
      }),
    );
    const told = await response.json();
    told.files.forEach((advice, number) => {
      some[number].mode = advice.shouldIgnore ? "ignore" : advice.uploadMode;
      ignored += advice.shouldIgnore ? 1 : 0;
    });
  }
  return ignored;
}

async function candidate({ path, file }) {
  return { path, size: file.size, sample: await base64(file.slice(0, 512)) };
}

function base64(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(new Error("A file could not be read: choose it again."));
    if (blob.size) reader.readAsDataURL(blob);
    else resolve("");
  });
}

async function large(one) {
  const bar = document.createElement("progress");
  bar.max = 1;
  bar.setAttribute("aria-label", `Progress of ${one.path}`);
  one.row.append(bar);
  say(`Checking ${one.path}…`);
  one.oid = await sha256(one.file, (part) => (bar.value = part));
  const object = { oid: one.oid, size: one.file.size };
  const response = await answer(
    await fetch(`${git}/info/lfs/objects/batch`, {
      method: "POST",
      headers: LFS,
      body: JSON.stringify({
        operation: "upload",
        transfers: ["basic", "multipart"],
        objects: [object],
        hash_algo: "sha256",
      }),
    }),
  );
  const [told] = (await response.json()).objects;
  if (told.error) throw new Error(told.error.message);
  const upload = told.actions?.upload;
  if (!upload) {
    // the hub has these bytes already
    bar.value = 1;
    return;
  }
  say(`Sending ${one.path}…`);
  bar.value = 0;
  const parts = Object.entries(upload.header ?? {}).filter(([key]) => /^\d+$/.test(key));
  if (parts.length) await inParts(one, upload, parts, bar);
  else await put(upload.href, one.file, upload.header, (sent) => (bar.value = sent / one.file.size));
  const verify = told.actions.verify;
  if (verify) {
    await answer(
      await fetch(verify.href, { method: "POST", headers: { ...LFS, ...verify.header }, body: JSON.stringify(object) }),
    );
  }
}

async function inParts(one, upload, parts, bar) {
  const size = Number(upload.header.chunk_size);
  const etags = [];
  for (const [number, address] of parts.sort(([a], [b]) => a - b)) {
    const start = (Number(number) - 1) * size;
    const etag = await put(address, one.file.slice(start, start + size), {}, (sent) => {
      bar.value = (start + sent) / one.file.size;
    });
    etags.push({ partNumber: Number(number), etag });
  }
  await answer(
    await fetch(upload.href, { method: "POST", headers: LFS, body: JSON.stringify({ oid: one.oid, parts: etags }) }),
  );
}

// fetch tells nothing of the progress of what it sends
function put(address, blob, headers, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", address);
    for (const [name, value] of Object.entries(headers ?? {})) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => progress(event.loaded);
    request.onload = () => {
      if (request.status < 300) resolve(request.getResponseHeader("ETag"));
      else reject(new Error(request.getResponseHeader("X-Error-Message") || `The hub refused the file (${request.status}).`));
    };
    request.onerror = () => reject(new Error("The connection broke. Send the files again: what arrived is kept."));
    request.send(blob);
  });
}

async function commit(files) {
  const names = files.map((one) => one.path);
  const summary = form.elements.summary.value.trim() || `Upload ${names.length === 1 ? names[0] : `${names.length} files`}`;
  const lines = [{ key: "header", value: { summary, description: "" } }];
  for (const one of files) {
    if (one.mode === "lfs") {
      lines.push({ key: "lfsFile", value: { path: one.path, algo: "sha256", oid: one.oid, size: one.file.size } });
    } else {
      lines.push({ key: "file", value: { path: one.path, encoding: "base64", content: await base64(one.file) } });
    }
  }
  await answer(
    await fetch(`${api}/commit/${encodeURIComponent(revision)}`, {
      method: "POST",
      headers: { "Content-Type": "application/x-ndjson" },
      body: new Blob(lines.map((line) => `${JSON.stringify(line)}\n`)),
    }),
  );
}
