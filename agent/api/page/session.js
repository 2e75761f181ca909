// SPDX-License-Identifier: Apache-2.0
// Requests to the agent. The token lives in this module and nowhere else: no storage, no cookie.

let token = "";
let onExpired = () => {};

export const setToken = (value) => { token = value; };
export const whenExpired = (handler) => { onExpired = handler; };

const headers = (more) => ({ ...(token ? { Authorization: `Bearer ${token}` } : {}), ...more });

export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `status ${status}`);
    this.status = status;
    this.problem = problem;
  }
}

async function answer(response) {
  if (response.ok) return response.json();
  let problem = {};
  try {
    problem = await response.json();
  } catch {
    problem = { title: response.statusText };
  }
  if (response.status === 401) onExpired(problem.detail);
  throw new Refused(response.status, problem);
}

export const get = async (path) =>
  answer(await fetch(path, { headers: headers(), credentials: "omit", cache: "no-cache" }));

export const post = async (path, body) =>
  answer(await fetch(path, {
    method: "POST",
    headers: headers({ "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID?.() ?? String(Math.random()) }),
    credentials: "omit",
    body: JSON.stringify(body || {}),
  }));

// One event of the stream's text: "id: 7\nevent: guard\ndata: {...}".
function parse(block) {
  const event = { type: "message", data: "", id: null };
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon <= 0) continue;
    const value = line.slice(colon + 1).replace(/^ /, "");
    const name = line.slice(0, colon);
    if (name === "id") event.id = value;
    if (name === "event") event.type = value;
    if (name === "data") event.data += value;
  }
  return event.data ? event : null;
}

// Follows /events for ever: resumes where it was cut, waits longer after each failure. EventSource
// cannot send the token, so the stream is read by hand.
export function follow({ onEvent, onOpen, onCut, onRefused }) {
  let last = null;
  let wait = 500;
  let stopped = false;
  const abort = new AbortController();

  async function once() {
    const more = last === null ? {} : { "Last-Event-ID": last };
    const response = await fetch("/events", { headers: headers(more), credentials: "omit", cache: "no-store", signal: abort.signal });
    if (!response.ok) await answer(response);
    wait = 500;
    onOpen(last !== null);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      text += value;
      for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
        const event = parse(text.slice(0, end));
        text = text.slice(end + 2);
        if (!event) continue;
        if (event.id !== null) last = event.id;
        onEvent(event.type, JSON.parse(event.data));
      }
    }
  }

  async function loop() {
    while (!stopped) {
      let why = "the stream ended";
      try {
        await once();
      } catch (error) {
        if (stopped || error.status === 401) return;
        if (error.status === 403) { onRefused(); return; }
        why = error.message;
      }
      if (stopped) return;
      onCut(why);
      await new Promise((resolve) => { setTimeout(resolve, wait * (0.75 + Math.random() / 2)); });
      wait = Math.min(wait * 2, 15000);
    }
  }
  loop();
  return () => { stopped = true; abort.abort(); };
}
