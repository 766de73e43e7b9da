// Upload: photos go straight to the bucket, and each result shows as it arrives.

import { ask, Problem, samePhotos } from "./api.js";
import { detail, explain } from "./notices.js";
import { nameOf } from "./photo.js";
import { framed } from "./pictures.js";
import { announce, el, icon, percent } from "./dom.js";
import { addressOf } from "./search.js";
import { onState, watch } from "./watch.js";
import { number, say } from "./words.js";

const AT_ONCE = 3;
const UNDER_WAY = ["waiting", "uploading", "looking"];
const UNFOLDED = 12; // finished uploads that stay unfolded
const KEPT = "catalog-tagger.uploads"; // as long as this tab lives
const MOST_KEPT = 200; // uploads; more would not fit in a tab's storage

// Outlives the view: a person who comes back finds the uploads again.
const items = restored();
const queue = [];
let running = 0;
let redraw = () => {};

export function uploadView(box) {
  const list = el("ol", { class: "uploads" });
  const count = el("p", { class: "count", role: "status" });
  const folded = el("ol", { class: "uploads" });
  const summary = el("summary");
  const details = el("details", { hidden: true }, summary, folded);
  const again = el("button", { type: "button", hidden: true, onclick: () => items.filter(canRetry).forEach(retry) });
  const link = el("p", { class: "hint lost", role: "status" });
  const input = el("input", { type: "file", id: "files", multiple: true, accept: "image/*", class: "hidden", onchange: () => { add(input.files); input.value = ""; } });
  const zone = el("label", { class: "drop", for: "files" }, icon("upload"), el("strong", {}, say("drop")), el("span", { class: "button main" }, say("choose")), el("small", {}, say("formats")));
  for (const name of ["dragenter", "dragover"]) zone.addEventListener(name, (event) => { event.preventDefault(); zone.classList.add("over"); });
  for (const name of ["dragleave", "drop"]) zone.addEventListener(name, () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => { event.preventDefault(); add(event.dataTransfer.files); });
  onState((state) => { link.textContent = state === "lost" ? say("lost") : ""; });
  redraw = () => {
    const ended = items.filter((item) => !UNDER_WAY.includes(item.state)).length;
    count.textContent = items.length ? say("progress", ended, items.length) : "";
    const failed = items.filter(canRetry);
    again.hidden = failed.length < 2;
    again.textContent = say("again_all", number(failed.length));
    const done = [...list.querySelectorAll(":scope > .done")];
    folded.append(...done.slice(UNFOLDED));
    details.hidden = !folded.children.length;
    summary.textContent = say("folded", number(folded.children.length));
  };
  box.append(el("h1", {}, say("upload_title")), input, zone, count, again, link, list, details);
  items.forEach((item) => list.prepend(item.draw()));
  redraw();
  const into = (item) => list.prepend(item.draw());
  function add(files) {
    for (const file of files) {
      const item = newItem(file);
      items.push(item);
      queue.push(item);
      into(item);
    }
    redraw();
    pump();
  }
  return () => { redraw = () => {}; };
}

// A file dropped beside the zone would otherwise replace the page, and end its uploads.
for (const name of ["dragover", "drop"]) {
  addEventListener(name, (event) => { if (event.dataTransfer?.types.includes("Files")) event.preventDefault(); });
}

function newItem(file) {
  const item = { file, image: "", state: "waiting", share: 0, place: null, record: null, problem: null, picture: URL.createObjectURL(file), row: null };
  item.draw = () => drawn(item);
  return item;
}

function drawn(item) {
  item.row = el("li", { class: "upload", tabindex: "-1" });
  update(item);
  return item.row;
}

function canRetry(item) { return item.state === "failed" && item.file instanceof File; }

function retry(item) {
  item.state = "waiting";
  queue.push(item);
  update(item);
  pump();
}

// The uploads before a reload: sent photos are waited for again; the page can no longer read files that were not
// sent.
function restored() {
  const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "[]");
  return kept.map(({ name, image, state, problem, record, same, place }) => {
    const item = { file: { name }, image, state, share: 0, place, record, same, problem, picture: "", row: null };
    item.draw = () => drawn(item);
    if (state === "waiting" || state === "uploading") Object.assign(item, { state: "failed", problem: say("choose_again") });
    return item;
  });
}

// Waits for photos sent before a reload; once, as soon as the source of results is known.
export function resumeUploads() {
  for (const item of items) if (item.state === "looking") wait(item, item.place);
}

function keep() {
  const kept = items.slice(-MOST_KEPT).map(({ file, image, state, problem, record, same, place }) => ({
    name: file.name, image, state, problem, record, same,
    place: place && { image: place.image, ticket: place.ticket, expires_at: place.expires_at },
  }));
  sessionStorage.setItem(KEPT, JSON.stringify(kept));
}

function update(item) {
  const picture = pictureOf(item);
  const held = item.row.contains(document.activeElement);
  item.row.replaceChildren(picture, el("div", { class: "about" }, el("strong", {}, item.file.name), outcomeParts(item)));
  item.row.className = `upload ${item.state}`;
  if (held) (item.row.querySelector("a, button") ?? item.row).focus(); // keep the focus in this row
  keep();
  redraw();
}

// Even if the upload view was not opened since the page was loaded.
function refresh(item) {
  if (item.row) update(item);
  else keep();
}

function pictureOf(item) {
  if (!item.picture) return item.image ? framed(item.image, { kind: "nothing" }) : el("span", { class: "nothing" }, icon("photo"));
  const picture = el("img", { src: item.picture, alt: "" });
  picture.addEventListener("error", () => picture.replaceWith(el("span", { class: "nothing" }, icon("photo"))));
  return picture;
}

function outcomeParts(item) {
  const { record, problem, share, state } = item;
  if (state === "waiting" || state === "uploading") {
    return [el("span", { class: "hint" }, say("uploading")), el("progress", { max: "1", value: share, "aria-label": `${say("uploading")} ${item.file.name}` })];
  }
  if (state === "looking") return [el("span", { class: "hint busy" }, say("looking"))];
  if (state === "late") return [el("span", { class: "hint" }, say("late"))];
  if (state === "failed") {
    const again = el("button", { type: "button", class: "small", onclick: () => retry(item) }, say("again"));
    return [el("span", { class: "bad" }, say("failed", problem)), canRetry(item) ? again : null];
  }
  if (state === "rejected") return [el("span", { class: "badge bad" }, say("rejected")), el("span", {}, say(`reason_${record.reason}`)), el("small", { class: "hint" }, detail(record.detail))];
  if (state === "ended") return [el("span", { class: "hint" }, say(`is_${record.status}`))];
  return [
    el("span", { class: "badge good" }, say("done")),
    el("span", { class: "chips" }, record.keywords.length
      ? record.keywords.map((keyword) => el("span", { class: "chip" }, keyword.keyword, el("small", {}, ` ${percent(keyword.score)}`)))
      : el("span", { class: "hint" }, say("no_keywords"))),
    el("a", { href: addressOf(record.image), "aria-label": say("open", item.file.name) }, say("open_it")),
    item.same?.length ? el("p", { class: "notice same" }, el("strong", {}, say("have_already")), item.same.map((other) => el("a", { href: addressOf(other) }, framed(other, { kind: "nothing" }), nameOf(other)))) : null,
  ];
}

function pump() {
  while (running < AT_ONCE && queue.length) {
    running += 1;
    void carry(queue.shift()).finally(() => { running -= 1; pump(); });
  }
}

async function carry(item) {
  if (item.record) return; // an earlier attempt reached the bucket after all
  item.state = "uploading";
  item.share = 0;
  update(item);
  try {
    // After a network failure, the same key again, so that a photo that did arrive is no second product.
    const place = (item.place ??= await announced(item));
    await sendPhoto(item.file, place, (share) => { item.share = share; showShare(item); }).catch((error) => { if (error.isRefused) item.place = null; throw error; });
    if (item.state === "uploading") item.state = "looking";
  } catch (error) {
    if (item.state !== "uploading") return; // the result came, even if the upload's answer was lost
    if (error instanceof Problem && error.reason) {
      deliver(item, { status: "rejected", reason: error.reason, detail: error.message, keywords: [] });
      return;
    }
    item.state = "failed";
    item.problem = error instanceof Problem ? explain(error) : error.message;
  }
  update(item);
}

async function announced(item) {
  const { name, size, type } = item.file;
  const place = await ask("POST", "uploads", { json: { name, type: type || "application/octet-stream", size } });
  item.image = place.image;
  wait(item, place);
  return place;
}

function wait(item, place) {
  watch(place, (record) => {
    if (record) deliver(item, record);
    else if (place === item.place) late(item);
  });
}

function deliver(item, record) {
  if (item.record) return;
  item.record = record;
  item.state = { tagged: "done", rejected: "rejected" }[record.status] ?? "ended";
  refresh(item);
  announce(`${item.file.name}: ${outcome(record)}`);
  if (item.state === "done") void findSame(item).catch(() => {}); // the photo is tagged even if this fails
}

async function findSame(item) {
  const { image } = item.record;
  item.same = (await samePhotos(image)).map((result) => result.image);
  if (!item.same.length) return;
  refresh(item);
  announce(`${item.file.name}: ${say("have_already")}`);
}

// The ticket has expired: it matters only for an upload under way.
function late(item) {
  item.place = null;
  if (item.state !== "uploading" && item.state !== "looking") return;
  item.state = "late";
  refresh(item);
  announce(`${item.file.name}: ${say("late")}`);
}

function outcome(record) {
  if (record.status === "rejected") return say(`reason_${record.reason}`);
  if (record.status !== "tagged") return say(`is_${record.status}`);
  return record.keywords.map((keyword) => keyword.keyword).join(", ") || say("no_keywords");
}

function showShare(item) {
  const shown = item.row?.querySelector("progress");
  if (shown) shown.value = item.share;
}

// Sends a file with its form, not by fetch, which reports no progress. An error with `isRefused` is the bucket's,
// perhaps because the form has expired: another attempt needs another form.
export function sendPhoto(file, place, onShare) {
  const form = new FormData();
  for (const [name, value] of Object.entries(place.fields)) form.append(name, value);
  form.append("file", file);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", place.url);
    request.upload.addEventListener("progress", ({ loaded, total }) => onShare(total ? loaded / total : 0));
    request.addEventListener("load", () => {
      if (request.status < 300) { resolve(); return; }
      reject(Object.assign(new Error(say("bucket_refused", request.status)), { isRefused: true }));
    });
    request.addEventListener("error", () => reject(new Error(say("no_network"))));
    request.send(form);
  });
}
