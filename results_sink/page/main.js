// The frame: navigation, the language, light and dark, and the current view.

import { start } from "./api.js";
import { announce, el, icon } from "./dom.js";
import { explain } from "./notices.js";
import { isReadOnly, isSignedIn, signOut } from "./signin.js";
import { forget, keep, take, visit } from "./visits.js";
import { LANGUAGES, language, say, speak } from "./words.js";
import { compareView } from "./compare.js";
import { photoView } from "./photo.js";
import { productView } from "./product.js";
import { reviewView } from "./review.js";
import { searchView } from "./search.js";
import { statusView } from "./status.js";
import { resumeUploads, uploadView } from "./upload.js";

const VIEWS = { search: searchView, review: reviewView, upload: uploadView, compare: compareView, status: statusView };
const offered = () => (isReadOnly() ? { search: searchView } : VIEWS);
const THEME = "catalog-tagger.theme";
const main = document.getElementById("main");
let leave = () => {};
let first = true;
let shown = null; // the current view: its address, its element and how to leave it

export function go(where) { location.hash = where; }

function route() {
  const [name, parameters] = location.hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  return { name: name || "search", parameters: new URLSearchParams(parameters || "") };
}

function frame() {
  const { name } = route();
  const languages = Object.entries(LANGUAGES).map(([code, own]) => el("option", { value: code, selected: code === language() }, own));
  const top = document.getElementById("top");
  top.replaceChildren(
    el("div", { class: "bar-of-top" },
      el("a", { class: "brand", href: "#/search" }, icon("tag"), el("span", {}, "catalog-tagger")),
      el("nav", { "aria-label": say("views") },
        Object.keys(offered()).map((view) => el("a", { href: `#/${view}`, "aria-current": view === name ? "page" : undefined }, say(view)))),
      el("div", { class: "choices" },
        el("select", { "aria-label": say("language"), onchange: ({ target }) => { speak(target.value); sayAgain(); } }, languages),
        el("button", { type: "button", class: "quiet round", "aria-label": say("light_dark"), title: say("light_dark"), onclick: turn }, icon("light")),
        isSignedIn() ? el("button", { type: "button", class: "quiet sign-out", onclick: signOut }, say("sign_out")) : null)));
  document.getElementById("skip").textContent = say("skip");
  document.documentElement.lang = language();
}

function turn() {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = document.documentElement.dataset.theme || (dark ? "dark" : "light");
  document.documentElement.dataset.theme = now === "dark" ? "light" : "dark";
  localStorage.setItem(THEME, document.documentElement.dataset.theme);
}

function show() {
  const isBack = visit(location.hash);
  const typed = document.activeElement?.id === "q" ? document.activeElement.value : null;
  const before = shown && { ...shown, leave, top: scrollY };
  if (before && before.name === "search" && /^(photo|product)\//.test(route().name)) keep(before); // a person may come back to it
  else leave();
  const view = isBack ? take(location.hash) : null;
  if (view) return bringBack(view);
  const title = draw();
  if (!first) {
    scrollTo(0, 0);
    const field = typed !== null && document.getElementById("q");
    if (field) {
      if (typed.startsWith(field.value)) field.value = typed; // the person may have typed on while results arrived
      field.focus({ preventScroll: true });
      field.setSelectionRange(field.value.length, field.value.length);
    } else main.focus({ preventScroll: true });
    announce(title);
  }
  first = false;
}

// Restores a view: its results, its scroll position, and the focus on the item that was opened.
function bringBack(view) {
  frame();
  main.replaceChildren(view.box);
  ({ leave } = view);
  shown = view;
  setTitle(view.box);
  scrollTo(0, view.top);
  (view.focus || main).focus({ preventScroll: true });
}

// The same view in another language: its state goes on, and the focus stays on the language choice.
function sayAgain() {
  forget();
  draw(leave());
  document.querySelector(".choices select").focus();
}

// A view may return a function to leave it, and that may return state to keep when the view is only redrawn.
function draw(kept) {
  frame();
  const { name, parameters } = route();
  const [image, product] = [pathBehind(name, "photo/"), pathBehind(name, "product/")];
  const view = (image && photoView) || (product && productView) || offered()[name] || searchView;
  const box = el("div", { class: "view" });
  main.replaceChildren(box);
  leave = view(box, { parameters, image: `s3://${image}`, product, kept }) || (() => {});
  shown = { hash: location.hash, name, box };
  box.addEventListener("click", ({ target }) => { shown = { ...shown, focus: target.closest("a") }; });
  return setTitle(box);
}

function setTitle(box) {
  const title = box.querySelector("h1")?.textContent || "";
  document.title = title ? `${title} · catalog-tagger` : "catalog-tagger";
  return title;
}

// The part of the address after the view's name, or "" if it is another view or cannot be decoded.
function pathBehind(name, view) {
  if (!name.startsWith(view)) return "";
  try {
    return name.slice(view.length).split("/").map(decodeURIComponent).join("/");
  } catch {
    return "";
  }
}

const theme = localStorage.getItem(THEME);
if (theme) document.documentElement.dataset.theme = theme;
document.getElementById("skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
frame();
try {
  await start();
  resumeUploads();
  addEventListener("hashchange", show);
  show();
} catch (error) {
  main.replaceChildren(
    el("p", { class: "notice bad", role: "alert" }, explain(error)),
    el("p", {}, el("button", { type: "button", onclick: () => location.reload() }, say("again"))));
}
