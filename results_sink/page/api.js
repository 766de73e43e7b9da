// What is asked of the API, signed in where the deployment asks for it.

import { renew, signIn, token } from "./signin.js";
import { say } from "./words.js";

const BASE = new URL(".", document.baseURI);
const UNTOLD = { 401: "not_signed_in", 403: "forbidden" }; // the gateway refuses without a word of ours
let settings = { watch: "", sign_in: "" };

export class Problem extends Error {
  constructor(status, document) {
    super(document.detail || document.title || (UNTOLD[status] ? say(UNTOLD[status]) : `HTTP ${status}`));
    this.status = status;
    this.code = document.code || "";
    this.reason = document.reason || "";
  }
}

export async function start() {
  const answer = await fetch(new URL("page/settings.json", BASE));
  if (!answer.ok) throw new Problem(answer.status, await answer.json().catch(() => ({})));
  settings = await answer.json();
  await signIn(settings, BASE);
}

export function watchAddress() {
  const address = new URL(settings.watch, BASE);
  address.protocol = address.protocol.replace("http", "ws");
  return address;
}

export async function ask(method, path, { query = {}, json, body, type, signal } = {}) {
  const address = new URL(`v1/${path}`, BASE);
  for (const [name, value] of Object.entries(query)) if (value !== undefined) address.searchParams.set(name, value);
  const headers = {};
  if (json !== undefined) headers["content-type"] = "application/json";
  if (type) headers["content-type"] = type;
  const sent = json === undefined ? body : JSON.stringify(json);
  let used = null;
  const send = () => {
    used = token();
    if (used) headers.authorization = `Bearer ${used}`;
    return fetch(address, { method, headers, body: sent, signal });
  };
  let answer = await send();
  if (answer.status === 401 && (await renew(used))) answer = await send();
  const document = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Problem(answer.status, document);
  return document;
}

// ---- Photos by their names: addresses are asked for in one go, and kept until shortly before they end ----

const known = new Map();
let wanted = null;

export function photo(name) {
  const kept = known.get(name);
  if (kept && kept.until > Date.now()) return Promise.resolve(kept.address);
  if (!wanted) {
    const batch = { names: new Set() };
    wanted = batch;
    batch.promise = new Promise((resolve) => setTimeout(resolve, 10)).then(async () => {
      wanted = null;
      const names = [...batch.names];
      for (let at = 0; at < names.length; at += 100) {
        const answer = await ask("POST", "photos", { json: { images: names.slice(at, at + 100) } });
        const until = Date.now() + (answer.seconds - 60) * 1000;
        for (const [image, address] of Object.entries(answer.photos)) known.set(image, { address, until });
      }
    });
  }
  wanted.names.add(name);
  return wanted.promise.then(() => known.get(name)?.address || "");
}

export function pathOf(image) {
  const [bucket, ...key] = image.replace("s3://", "").split("/");
  return `images/${encodeURIComponent(bucket)}/${key.map(encodeURIComponent).join("/")}`;
}

// ---- What changes only with a deployment ----

const once = new Map();

export function askOnce(path) {
  if (!once.has(path)) once.set(path, ask("GET", path).catch((error) => { once.delete(path); throw error; }));
  return once.get(path);
}

export async function nameOfClass(version, index) {
  const { models } = await askOnce("models");
  const model = models.find((candidate) => candidate.model_version === version);
  return model ? model.classes[index] : `#${index}`;
}
