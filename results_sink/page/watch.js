// One connection that waits for all results. Where it breaks, it is made again, and every ticket is shown again.

import { watchAddress } from "./api.js";
import { language } from "./words.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15000;
const PING_MS = 8 * 60 * 1000; // an idle connection is closed after ten minutes

const waiting = new Map(); // by image: ticket, until, deliver
let socket = null;
let tries = 0;
let listener = () => {};

export function onState(listen) { listener = listen; }

export function watch(image, ticket, expiresAt, deliver) {
  waiting.set(image, { ticket, until: Date.parse(expiresAt), deliver });
  if (socket?.readyState === WebSocket.OPEN) show(ticket);
  else connect();
}

function show(ticket) {
  socket.send(JSON.stringify({ kind: "watch", ticket, language: language() }));
}

function connect() {
  if (socket && socket.readyState <= WebSocket.OPEN) return;
  socket = new WebSocket(watchAddress());
  listener("connecting");
  socket.addEventListener("open", () => {
    tries = 0;
    listener("open");
    for (const { ticket } of current()) show(ticket);
  });
  socket.addEventListener("message", ({ data }) => {
    const message = JSON.parse(data);
    if (message.kind !== "record") return;
    const entry = waiting.get(message.record.image);
    waiting.delete(message.record.image);
    entry?.deliver(message.record);
    if (!waiting.size) socket.close();
  });
  socket.addEventListener("close", () => {
    if (!current().length) { listener("idle"); return; }
    listener("lost");
    const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** tries) * (0.5 + Math.random() / 2);
    tries += 1;
    setTimeout(connect, wait);
  });
}

// A ticket that has ended would close the connection for all the others.
function current() {
  for (const [image, entry] of waiting) {
    if (entry.until <= Date.now()) {
      waiting.delete(image);
      entry.deliver(null);
    }
  }
  return [...waiting.values()];
}

addEventListener("online", () => { if (waiting.size) connect(); });
setInterval(() => { if (socket?.readyState === WebSocket.OPEN) current().slice(0, 1).forEach(({ ticket }) => show(ticket)); }, PING_MS);
