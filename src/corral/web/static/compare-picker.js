// The field that finds models to compare: those of one task that run here.

import { fresh, make, Sentence } from "./dom.js";
import { reach, refusal, Waiting } from "./widget-call.js";

/** `choose(described)` is called with a model that somebody chose. */
export function picker(choose) {
  const list = make("ul", {
    className: "found-models",
    id: fresh(),
    role: "listbox",
    ariaLabel: "Models",
    hidden: true,
  });
  const input = make("input", {
    type: "search",
    id: fresh(),
    role: "combobox",
    autocomplete: "off",
    placeholder: "Search by name",
  });
  for (const [name, value] of Object.entries({
    "aria-controls": list.id,
    "aria-expanded": "false",
    "aria-autocomplete": "list",
  }))
    input.setAttribute(name, value);
  const told = new Waiting();
  const node = make(
    "div",
    { className: "picker" },
    make("label", { htmlFor: input.id, className: "field-label", textContent: "Add a model" }),
    make("div", { className: "picker-field" }, input, list),
    told.node,
  );
  let task = "";
  let taken = [];
  let asked = 0;
  let at = -1;
  let delay = 0;

  async function search() {
    asked += 1;
    const mine = asked;
    const query = new URLSearchParams({ limit: "12", inference: "warm" });
    if (task) query.set("pipeline_tag", task);
    if (input.value.trim()) query.set("search", input.value.trim());
    const answer = await reach(`/api/models?${query}`);
    if (!answer.ok) throw await refusal(answer);
    const found = (await answer.json()).map(({ id }) => id).filter((id) => !taken.includes(id));
    // somebody types faster than the hub answers
    if (mine !== asked) return;
    show(found.slice(0, 8));
  }
  function show(found) {
    at = -1;
    input.removeAttribute("aria-activedescendant");
    list.replaceChildren(
      ...found.map((id) => {
        const item = make("li", { id: fresh(), role: "option", textContent: id, ariaSelected: "false" });
        // before the field loses the focus
        item.addEventListener("pointerdown", (event) => event.preventDefault());
        item.addEventListener("click", () => take(id));
        return item;
      }),
    );
    if (!found.length)
      list.append(
        make("li", { className: "hint", role: "presentation", textContent: "No other model for this task runs here." }),
      );
    open(document.activeElement === input);
  }
  function open(on) {
    list.hidden = !on;
    input.setAttribute("aria-expanded", String(on));
  }
  async function take(id) {
    // what is still being looked for is not wanted any more
    clearTimeout(delay);
    asked += 1;
    open(false);
    input.value = "";
    told.say("");
    const answer = await reach(`/inference/${id}`).catch(told.failed.bind(told));
    if (!answer) return;
    if (answer.ok) await choose(await answer.json());
    else told.failed(answer.status === 404 ? new Sentence(`There is no model ${id} here.`) : await refusal(answer));
  }
  const look = () => search().catch((error) => told.failed(error));
  input.addEventListener("focus", look);
  input.addEventListener("blur", () => open(false));
  input.addEventListener("input", () => {
    clearTimeout(delay);
    delay = setTimeout(look, 150);
  });
  input.addEventListener("keydown", (event) => {
    const options = [...list.querySelectorAll("[role=option]")];
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) return look();
      if (!options.length) return undefined;
      at = (at + (event.key === "ArrowDown" ? 1 : -1) + options.length) % options.length;
      options.forEach((one, i) => (one.ariaSelected = String(i === at)));
      input.setAttribute("aria-activedescendant", options[at].id);
      options[at].scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter") {
      event.preventDefault();
      const typed = input.value.trim();
      const id = options[at]?.textContent ?? (typed.includes("/") ? typed : options[0]?.textContent);
      if (id) take(id);
    } else if (event.key === "Escape") open(false);
    return undefined;
  });
  return {
    node,
    update(now, names, room) {
      task = now;
      taken = names;
      node.hidden = !room;
    },
  };
}
