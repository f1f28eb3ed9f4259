// What a model writes, as nodes: code, emphasis, lists. Never as HTML, so that nothing in it can run.

export function make(tag, props = {}, ...children) {
  const node = Object.assign(document.createElement(tag), props);
  node.append(...children.filter((child) => child != null));
  return node;
}

export function rendered(text) {
  const parts = [];
  for (const [index, part] of text.split(/^```/m).entries()) {
    if (index % 2) parts.push(code(part));
    else for (const block of part.split(/\n{2,}/)) if (block.trim()) parts.push(paragraph(block.replace(/^\n|\n$/g, "")));
  }
  return parts;
}

function code(part) {
  const [language, ...lines] = part.split("\n");
  const text = lines.join("\n").replace(/\n$/, "");
  const copy = make("button", { type: "button", textContent: "Copy", onclick: () => navigator.clipboard?.writeText(text) });
  return make("figure", { className: "code" }, make("figcaption", {}, language.trim() || "text", copy), make("pre", { textContent: text }));
}

function paragraph(block) {
  const lines = block.split("\n");
  if (lines.every((line) => /^\s*([-*]|\d+\.)\s/.test(line))) {
    const ordered = /^\s*\d/.test(lines[0]);
    const items = lines.map((line) => make("li", {}, ...spans(line.replace(/^\s*([-*]|\d+\.)\s+/, ""))));
    return make(ordered ? "ol" : "ul", {}, ...items);
  }
  const heading = /^(#{1,6})\s+(.*)$/.exec(block);
  if (heading) return make("h3", {}, ...spans(heading[2]));
  return make("p", {}, ...spans(block));
}

function spans(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((piece) => {
    if (piece.length > 2 && piece.startsWith("`")) return make("code", { textContent: piece.slice(1, -1) });
    if (piece.length > 4 && piece.startsWith("**")) return make("strong", { textContent: piece.slice(2, -2) });
    return piece;
  });
}
