// All that talks to the hub: which models chat, and a conversation with one of them.

// A Space has a host of its own below the hub's (owner-name.hub.example), or lies on the hub's own address.
export function guessHub() {
  const { protocol, host, pathname, origin } = location;
  if (pathname.startsWith("/-/spaces/")) return origin;
  const [, ...rest] = host.split(".");
  return rest.length ? `${protocol}//${rest.join(".")}` : origin;
}

const authorization = (settings) => (settings.token ? { Authorization: `Bearer ${settings.token}` } : {});

export async function chatModels(settings) {
  const query = "pipeline_tag=text-generation&filter=conversational&inference=warm&limit=200";
  const answer = await fetch(`${settings.hub}/api/models?${query}`, { headers: authorization(settings) });
  if (!answer.ok) throw new Error(await reason(answer));
  return (await answer.json()).map(({ id, sha }) => ({ id, sha }));
}

// Calls `heard({kind, ...})` for: place {number, of, seconds, state}, token {text}, result {text, seconds, machine}.
export async function ask(settings, model, messages, signal, heard) {
  const body = { model, messages, stream: true };
  if (settings.temperature !== "") body.temperature = Number(settings.temperature);
  body.max_tokens = Number(settings.most) || 1024;
  const answer = await fetch(`${settings.hub}/v1/chat/completions`, {
    method: "POST",
    signal,
    headers: { "Content-Type": "application/json", "x-corral-events": "true", ...authorization(settings) },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(await reason(answer));
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new Error("The hub ended the answer half-way. Try again.");
    held += value;
    const events = held.split("\n\n");
    held = events.pop();
    for (const event of events) {
      const kind = /^event: (.*)$/m.exec(event)?.[1];
      const data = JSON.parse(/^data: (.*)$/m.exec(event)?.[1] ?? "null");
      if (kind === "error") throw new Error(data.error);
      if (kind === "result") return { seconds: data.seconds, machine: data.machine, text: data.value.choices[0].message.content };
      heard({ kind, ...data });
    }
  }
}

export async function thumb(settings, model, { messages, output, rating, commit, note }) {
  const answer = await fetch(`${settings.hub}/api/models/${model}/feedback`, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...authorization(settings) },
    body: JSON.stringify({ input: { messages }, output, rating, note, commit, task: "text-generation", source: "chat" }),
  });
  if (answer.status === 401) throw new Error("Thumbs need an access token of yours: put one into the settings.");
  if (!answer.ok) throw new Error(await reason(answer));
}

async function reason(answer) {
  const told = await answer.json().catch(() => ({}));
  return (typeof told.error === "string" ? told.error : told.error?.message) ?? `The hub answered ${answer.status}.`;
}
