// Requests to the API, signed in where the deployment requires it.

import { renew, signIn, token } from "./signin.js";
import { say } from "./words.js";

const BASE = new URL(".", document.baseURI);
const UNTOLD = { 401: "not_signed_in", 403: "forbidden" }; // the gateway refuses these without our own code
export const MOST_BYTES = 4_000_000; // the largest photo that fits in one request to the API
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

export async function ask(method, path, options) {
  const answer = await send(method, path, options);
  return answer.json().catch(() => ({}));
}

async function send(method, path, { query = {}, json, body, type, signal } = {}) {
  const address = new URL(`v1/${path}`, BASE);
  for (const [name, value] of Object.entries(query)) if (value !== undefined) address.searchParams.set(name, value);
  const headers = {};
  if (json !== undefined) headers["content-type"] = "application/json";
  if (type) headers["content-type"] = type;
  const sent = json === undefined ? body : JSON.stringify(json);
  let used = null;
  const sendOnce = () => {
    used = token();
    if (used) headers.authorization = `Bearer ${used}`;
    return fetch(address, { method, headers, body: sent, signal });
  };
  let answer = await sendOnce();
  if (answer.status === 401 && (await renew(used))) answer = await sendOnce();
  if (!answer.ok) throw new Problem(answer.status, await answer.json().catch(() => ({})));
  return answer;
}

// ---- Thumbnails: a few at once, since each missing one starts a function ----

const MOST_AT_ONCE = 6;
const waiting = [];
let underWay = 0;

// The photo as a small picture, 320 or 640 pixels; the browser caches it as the answer allows.
export async function thumbnail(image, size) {
  if (underWay >= MOST_AT_ONCE) await new Promise((resolve) => waiting.push(resolve));
  underWay += 1;
  try {
    return await (await send("GET", `thumbnails/${size}/${bucketAndKey(image)}`)).blob();
  } finally {
    underWay -= 1;
    waiting.shift()?.();
  }
}

// ---- Photos by name: URLs are requested together, and kept until shortly before they expire ----

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

const COMPARED = 8; // most similar photos, compared pixel by pixel, as `catalog-tagger duplicates` does
const LEAST_ALIKE = 0.5; // the same photo padded in black scores 0.6 in looks, and less where its words differ

// The catalogue's copies of a photo: vectors propose the most similar ones, and pixels decide.
export async function samePhotos(image) {
  const { results } = await ask("POST", "similar", { json: { image, by: "image", limit: COMPARED } });
  const alike = results.filter((result) => result.score >= LEAST_ALIKE);
  if (!alike.length) return [];
  const { same } = await ask("POST", "duplicates", { json: { image, candidates: alike.map((result) => result.image) } });
  return alike.filter((result) => same.includes(result.image));
}

export function pathOf(image) {
  return `images/${bucketAndKey(image)}`;
}

function bucketAndKey(image) {
  return image.replace("s3://", "").split("/").map(encodeURIComponent).join("/");
}

// ---- Data that changes only with a deployment ----

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
