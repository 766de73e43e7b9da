// One connection for all results. If it breaks, it is reopened, and every ticket is sent again.

import { watchAddress } from "./api.js";
import { language } from "./words.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
const SHOW_MS = 30_000; // chosen by us: asks again for lost results; the API closes connections idle for ten minutes
const SILENT_MS = 120_000; // chosen by us: a connection silent for so long may be dead without an error

const waiting = new Map(); // by image: ticket, age, life in ms, deliver
let socket = null;
let heard = 0;
let tries = 0;
let timer = 0;
let state = "idle";
let listener = () => {};

export function onState(listen) {
  listener = listen;
  listen(state);
}

// Waits for the result of an announced upload; delivers its record, or null if none came in time.
export function watch({ image, ticket, seconds, expires_at: until }, deliver) {
  const life = seconds === undefined ? Date.parse(until) - Date.now() : seconds * 1000;
  waiting.set(image, { ticket, age: stopwatch(), life, deliver });
  if (socket?.readyState === WebSocket.OPEN) show(ticket);
  else connect();
}

// Counts by both clocks: one stands still while a device sleeps, the other can be set.
function stopwatch() {
  const [ran, read] = [performance.now(), Date.now()];
  return () => Math.max(performance.now() - ran, Date.now() - read);
}

function show(ticket) {
  socket.send(JSON.stringify({ kind: "watch", ticket, language: language() }));
}

function tell(now) {
  state = now;
  listener(now);
}

function connect() {
  if (socket && socket.readyState <= WebSocket.OPEN) return;
  clearTimeout(timer);
  const mine = new WebSocket(watchAddress());
  socket = mine;
  if (state === "idle") tell("connecting");
  mine.addEventListener("open", () => {
    if (socket !== mine) return;
    heard = performance.now();
    tell("open");
    for (const { ticket } of current()) show(ticket);
  });
  mine.addEventListener("message", ({ data }) => { if (socket === mine) take(JSON.parse(data)); });
  mine.addEventListener("close", () => { if (socket === mine) lost(); });
}

function take(message) {
  heard = performance.now();
  if (message.kind !== "record") { // the gateway's own message: the ticket did not arrive
    leave();
    lost();
    return;
  }
  tries = 0;
  const { image } = message.record;
  const entry = waiting.get(image);
  waiting.delete(image);
  entry?.deliver(message.record);
  if (waiting.size) return;
  leave();
  tell("idle");
}

// An abandoned connection may close late: its events are ignored.
function leave() {
  const left = socket;
  socket = null;
  left?.close();
}

function lost() {
  if (!current().length) { tell("idle"); return; }
  tell("lost");
  const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** tries) * (0.5 + Math.random() / 2);
  tries += 1;
  clearTimeout(timer);
  timer = setTimeout(connect, wait);
}

function afresh() {
  if (!current().length) return;
  tries = 0;
  leave();
  connect();
}

// An expired ticket would close the connection for all the others.
function current() {
  for (const [image, entry] of waiting) {
    if (entry.age() >= entry.life) {
      waiting.delete(image);
      entry.deliver(null);
    }
  }
  return [...waiting.values()];
}

// After a change of network, or a sleep, the old connection may look open but be dead.
addEventListener("online", afresh);
document.addEventListener("visibilitychange", () => { if (!document.hidden) afresh(); });
setInterval(() => {
  const left = current();
  if (socket?.readyState !== WebSocket.OPEN) return;
  if (!left.length) {
    leave();
    tell("idle");
  } else if (performance.now() - heard > SILENT_MS) afresh();
  else left.forEach(({ ticket }) => show(ticket));
}, SHOW_MS);
