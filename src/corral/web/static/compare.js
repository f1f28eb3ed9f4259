// Models of one task, side by side: one form for all of them, one answer for each. The page's address holds the models
// and what was asked, so that it can be passed on.

import { copy } from "./corral.js";
import { button, make, shorten, sizeOf } from "./dom.js";
import { picker } from "./compare-picker.js";
import { agree, fit, unfit } from "./compare-task.js";
import { Answer, controls, raw } from "./widget-answer.js";
import { Waiting } from "./widget-call.js";
import { Form } from "./widget-form.js";
import { written } from "./widget-pieces.js";

const root = document.querySelector("[data-compare]");
const given = JSON.parse(root.dataset.compare);
const query = new URLSearchParams(location.search);

let seats = given.models.map((described) => ({ described, answer: new Answer(described, given.rates) }));
let form = null;
let shape = "";

const told = new Waiting();
const failed = (error) => told.failed(error);
const place = make("div", { className: "compare-form" });
const columns = make("div", { className: "compare-seats" });
const together = make("input", { type: "checkbox", id: "c-together" });
const share = button(
  "Copy the address",
  async () => {
    note();
    await copy(location.href);
    share.textContent = "Copied";
    setTimeout(() => (share.textContent = "Copy the address"), 1500);
  },
  "plain",
);
const shared = make("p", { className: "hint" });
const request = raw("View request", async () => {
  const body = await form.body();
  return part()
    .map(({ described }) => `POST ${described.url}\n\n${written(fit(body, described))}`)
    .join("\n\n");
});

/** The task, with its label: that of the first model that runs. */
const task = () => seats.find(({ described }) => described.runnable)?.described ?? given;
const part = () => seats.filter(({ described }) => !unfit(described, task()));

const actions = controls("Run", async (signal) => {
  told.say("");
  let body;
  try {
    if (!part().length) return told.say("Choose a model first.", true);
    body = await form.body();
  } catch (error) {
    return failed(error);
  }
  note();
  const running = part();
  for (const one of running) one.badge.hidden = true;
  const ask = async (one) => (
    (one.took = null),
    (one.took = (await one.answer.ask(fit(body, one.described), form, signal))?.seconds ?? null)
  );
  if (together.checked) await Promise.all(running.map(ask));
  else {
    for (const one of running.slice(1)) one.answer.waits("Its turn comes next.");
    // one after the other, so that they do not take the time from each other
    for (const one of running) await ask(one);
  }
  const [first, second] = running.filter((one) => one.took != null).sort((a, b) => a.took - b.took);
  if (second && first.took < second.took) first.badge.hidden = false;
});

const board = make("form", { className: "widget", noValidate: true });
board.append(
  place,
  make(
    "div",
    { className: "row" },
    actions.node,
    make("label", { className: "key" }, together, "at the same time"),
    share,
  ),
  shared,
  told.node,
  request,
);
board.addEventListener("submit", (event) => {
  event.preventDefault();
  actions.press();
});

/** Keep the address true to what is on the page. */
function note() {
  const { body, whole } = form ? form.shared() : { body: {}, whole: true };
  const now = new URLSearchParams();
  now.set("models", seats.map(({ described }) => described.name).join(","));
  if (!part().length && given.task) now.set("task", given.task);
  for (const name of ["inputs", "parameters"]) if (body[name] != null) now.set(name, JSON.stringify(body[name]));
  // names and addresses are easier to read unescaped
  history.replaceState(null, "", `/compare?${now.toString().replaceAll("%2F", "/").replaceAll("%2C", ",")}`);
  shared.textContent = whole
    ? ""
    : "Your file is only on this computer, so the address does not hold it: a file of a repository could be shared.";
}

async function build() {
  const all = part().map(({ described }) => described);
  const joint = all.length ? agree(all) : null;
  board.hidden = !joint;
  const wanted = JSON.stringify([joint?.form, joint?.knobs]);
  if (joint && wanted !== shape) {
    shape = wanted;
    const old = form;
    form = new Form(joint, {
      files: "",
      submit: () => board.requestSubmit(),
      failed,
      changed: () => (shared.textContent = ""),
    });
    place.replaceChildren(
      ...[form.examples(() => board.requestSubmit(), failed), form.node, form.settings].filter(Boolean),
    );
    if (old) await form.adopt(old);
    else await form.fill(asked() ?? (form.startsFilled ? joint.examples[0] : null) ?? {});
  }
  columns.replaceChildren(
    ...(seats.length
      ? seats.map(column)
      : [
          make("p", {
            className: "empty",
            textContent: "Choose two models or more: they get the same input, and answer side by side.",
          }),
        ]),
  );
}

/** What the address asks for; words that are no JSON are words. */
function asked() {
  const read = (text) => {
    try {
      return JSON.parse(text);
    } catch {
      return text;
    }
  };
  const body = {};
  for (const name of ["inputs", "parameters"]) if (query.has(name)) body[name] = read(query.get(name));
  return Object.keys(body).length ? body : null;
}

function column(seat) {
  const { described, answer } = seat;
  const problem = unfit(described, task());
  seat.badge ??= make("span", { className: "badge on", textContent: "fastest", hidden: true });
  const remove = button(
    "×",
    async () => {
      seats = seats.filter((one) => one !== seat);
      await change();
    },
    "quiet",
    { ariaLabel: `Remove ${described.name}`, title: "Remove" },
  );
  const facts = [described.library, described.size ? `${sizeOf(described.size)} of weights` : ""]
    .filter(Boolean)
    .join(" · ");
  return make(
    "section",
    { className: "box", ariaLabel: described.name },
    make(
      "header",
      {},
      make("h2", {}, make("a", { href: `/${described.name}`, textContent: described.name }), seat.badge),
      remove,
    ),
    facts ? make("p", { className: "hint", textContent: facts }) : null,
    problem ? make("p", { className: "status bad", textContent: problem }) : answer.node,
  );
}

async function change() {
  try {
    await build();
    note();
    pick.update(
      task().task,
      seats.map(({ described }) => described.name),
      seats.length < given.most,
    );
  } catch (error) {
    failed(error);
  }
}

const pick = picker(async (described) => {
  seats.push({ described, answer: new Answer(described, given.rates) });
  await change();
});

root.replaceChildren(pick.node, board, columns);
await build().catch(failed);
pick.update(
  task().task,
  seats.map(({ described }) => described.name),
  seats.length < given.most,
);
document.title = seats.length
  ? `${seats.map(({ described }) => shorten(described.name, 30)).join(" vs ")} · Corral`
  : document.title;
