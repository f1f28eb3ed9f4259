// Conversations and settings, kept in this browser.
import { guessHub } from "./hub.js";

const read = (key, otherwise) => {
  try {
    return JSON.parse(localStorage.getItem(key)) ?? otherwise;
  } catch {
    return otherwise;
  }
};
const write = (key, value) => {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // full, or forbidden: the conversation goes on without being kept
  }
};

export const settings = { system: "", temperature: "", most: "", token: "", model: "", hub: guessHub(), ...read("settings", {}) };
export const saveSettings = () => write("settings", settings);

export let talks = read("talks", []);
export function saveTalks() {
  write("talks", talks);
}
export function remove(talk) {
  talks = talks.filter((one) => one !== talk);
  saveTalks();
}
export function begin() {
  const talk = { id: crypto.randomUUID?.() ?? String(Date.now()), title: "", at: Date.now(), turns: [] };
  talks.unshift(talk);
  return talk;
}

export function markdown(talk) {
  const turns = talk.turns.map((turn) => `**${turn.role === "user" ? "You" : turn.model ?? "Model"}:**\n\n${turn.content}`);
  return `# ${talk.title || "Conversation"}\n\n${turns.join("\n\n---\n\n")}\n`;
}

export function download(name, text, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
