// One photo: its keywords and their scores, what the model saw, and people's ratings.

import { ask, askOnce, nameOfClass, pathOf, photo } from "./api.js";
import { detail, explain, failure } from "./notices.js";
import { cameFromHere, forget, placeInTrail, replaceVisit } from "./visits.js";
import { announce, bar, el, icon, percent } from "./dom.js";
import { framed, PHOTO } from "./pictures.js";
import { productAddress } from "./product.js";
import { addressOf, card, suggest } from "./search.js";
import { isReadOnly, mayDecide } from "./signin.js";
import { language, moment, number, say } from "./words.js";

const SIBLINGS = 8; // photos; the product's view shows all
const ALIKE = 6; // similar products

export function photoView(box, { image }) {
  const title = el("h1", {}, nameOf(image));
  const frame = el("div", { class: "large" }, framed(image, { kind: "picture", alt: title.textContent, size: PHOTO }));
  const right = el("div", {}, el("p", { class: "hint" }, say("loading")));
  const siblings = el("nav", { class: "siblings", "aria-label": say("siblings"), hidden: true });
  const alike = el("section", { class: "alike" });
  const bar = above(location.hash);
  let gone = false;
  box.append(
    bar.row,
    el("article", { class: "photo" }, el("div", { class: "seen" }, frame, siblings), el("div", {}, title, right)),
    alike);
  void loadAlike();
  void load();
  return () => { gone = true; bar.leave(); };

  // The other photos of the product; if they cannot be loaded, the photo is shown without them.
  async function loadSiblings(product) {
    const { images } = await ask("POST", "products:batch", { json: { ids: [product] } }).then(({ products }) => products[0] ?? { images: [] }, () => ({ images: [] }));
    const others = images.filter((other) => addressOf(other.image) !== addressOf(image) && other.status !== "gone");
    if (gone || !others.length) return;
    siblings.hidden = false;
    siblings.replaceChildren(el("h2", {}, say("siblings")),
      el("ul", { class: "row" }, others.slice(0, SIBLINGS).map((other) => el("li", {}, el("a", { href: addressOf(other.image), "aria-label": say("open", nameOf(other.image)) }, framed(other.image))))),
      el("a", { href: productAddress(product) }, say("whole_product")));
  }

  async function load(focus) {
    try {
      const [record, given] = await Promise.all([ask("GET", pathOf(image), { query: { language: language() } }), ratings()]);
      if (gone) return;
      title.textContent = titleOf(record);
      if (!focus) void loadSiblings(record.product);
      const verdicts = new Map(given.filter((rating) => rating.model_version === record.model_version).map((rating) => [rating.keyword, rating.verdict]));
      right.replaceChildren(...sections(record, decide, rate, verdicts));
      if (focus) right.querySelector("h2")?.focus();
    } catch (error) {
      right.replaceChildren(failure(error, load));
    }
  }

  // From the last export: before the first one, this part is empty.
  async function loadAlike() {
    try {
      const { results } = await ask("POST", "similar", { query: { language: language() }, json: { image, limit: ALIKE } });
      if (!gone && results.length) alike.replaceChildren(el("h2", {}, say("more_like_this")), el("ul", { class: "grid small" }, results.map(card)));
    } catch (error) {
      if (!gone && !["no_export", "not_found"].includes(error.code)) alike.replaceChildren(failure(error, loadAlike));
    }
  }

  // The photo is shown even if its ratings are forbidden or cannot be read.
  function ratings() {
    return isReadOnly() ? [] : ask("GET", "ratings", { query: { image } }).then((answer) => answer.ratings, () => []);
  }

  async function decide(keyword, decision, name) {
    try {
      await ask("POST", "decisions", { json: { decisions: [{ image, keyword, decision }] } });
      forget(); // a kept search would show the photo as it was before
      await load(true);
      announce(say({ pin: "pinned", suppress: "suppressed", release: "released" }[decision], name));
    } catch (error) {
      announce(explain(error));
      right.prepend(failure(error, () => decide(keyword, decision, name)));
    }
  }

  async function rate(keyword, verdict, version) {
    await ask("POST", "ratings", { json: { ratings: [{ image, keyword, verdict, model_version: version }] } });
    announce(say("thanks"));
  }
}

// The row above a photo or a product: back, and the previous and next result, also by the arrow keys.
export function above(hash) {
  const place = placeInTrail(hash);
  const step = (to, name, text, key) => el("a", to ? { class: "button small", href: to, rel: name, "aria-label": say(name), "aria-keyshortcuts": key, onclick: (event) => { event.preventDefault(); replaceVisit(to); } } : { class: "button small off", "aria-hidden": "true" }, text);
  const onKey = (event) => {
    const to = { ArrowLeft: place?.previous, ArrowRight: place?.next }[event.key];
    if (!to || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
    event.preventDefault();
    replaceVisit(to);
  };
  document.addEventListener("keydown", onKey);
  const row = el("div", { class: "above" },
    el("a", { class: "back", href: "#/search", onclick: goBack }, icon("back"), say("back")),
    place && el("nav", { class: "steps", "aria-label": say("results") },
      step(place.previous, "previous", "‹", "ArrowLeft"), el("span", { class: "many" }, say("of_many", number(place.index + 1), number(place.count))), step(place.next, "next", "›", "ArrowRight")));
  return { row, leave: () => document.removeEventListener("keydown", onKey) };
}

// Back to where the person came from, or to the search if the photo was opened by its address.
function goBack(event) {
  if (!cameFromHere()) return;
  event.preventDefault();
  history.back();
}

export function nameOf(image) {
  return image.split("/").pop().replace(/\.[^.]*$/, "").replace(/-[0-9a-f]{16}$/, ""); // an upload's key ends in a unique number
}

// The name of a photo's product; for an upload without a product, its file's name.
export function titleOf({ image, product, listing }) {
  return listing.title || (product.startsWith("uploads/") ? nameOf(image) : product);
}

function sections(record, decide, rate, verdicts) {
  const parts = [];
  if (record.status === "rejected") {
    parts.push(el("div", { class: "notice bad" }, el("strong", {}, say(`reason_${record.reason}`)), el("p", {}, detail(record.detail))));
  } else if (record.status !== "tagged") {
    parts.push(el("p", { class: "notice" }, say(`is_${record.status}`)));
  } else {
    parts.push(keywords(record, decide, rate, verdicts));
    if (record.colours.length) parts.push(colours(record, decide));
    if (!isReadOnly()) parts.push(missing(record, decide, rate));
  }
  parts.push(timeline(record, decide));
  if (record.classes.length) parts.push(classes(record));
  parts.push(facts(record));
  return parts;
}

function keywords(record, decide, rate, verdicts) {
  const decided = new Set(record.decisions.map((decision) => decision.id));
  return el("section", {},
    el("h2", { tabindex: "-1" }, say("keywords")),
    record.low_information ? el("p", { class: "hint" }, say("low_information")) : null,
    record.keywords.length
      ? el("ul", { class: "keywords" }, record.keywords.map((keyword) => keywordRow(keyword, decided.has(keyword.id), record, decide, rate, verdicts.get(keyword.id))))
      : el("p", {}, say("no_keywords")));
}

function colours(record, decide) {
  const decided = new Set(record.decisions.map((decision) => decision.id));
  return el("section", {}, el("h2", {}, say("colours")), el("ul", { class: "colours" }, record.colours.map((colour) => el("li", {},
    el("a", { class: colour.source === "human" ? "chip human" : "chip", href: `#/search?q=${encodeURIComponent(colour.colour)}` }, colour.colour,
      el("small", {}, ` ${colour.source === "human" ? say("by_human") : percent(colour.share)}`)),
    decided.has(colour.id) || !mayDecide() ? null : el("span", { class: "offers" },
      decideButton("pin_it", "pin", () => decide(colour.id, "pin", colour.colour), colour.colour),
      decideButton("suppress_it", "ban", () => decide(colour.id, "suppress", colour.colour), colour.colour))))));
}

function decideButton(name, shape, run, word) {
  return el("button", { type: "button", class: "rate", title: say(name, word), "aria-label": say(name, word), onclick: run }, icon(shape));
}

function keywordRow(keyword, isDecided, record, decide, rate, given) {
  const row = el("li", {});
  const act = (name, shape, decision) => decideButton(name, shape, () => decide(keyword.id, decision, keyword.keyword), keyword.keyword);
  const rates = rateButtons(keyword, async (verdict) => {
    await rate(keyword.id, verdict, record.model_version);
    row.querySelector(".next")?.remove();
    if (verdict === "wrong" && !isDecided && mayDecide()) {
      row.append(el("p", { class: "next" }, say("thanks"), " ", el("button", { type: "button", class: "small", onclick: () => decide(keyword.id, "suppress", keyword.keyword) }, icon("ban"), say("suppress_it", keyword.keyword))));
    }
  }, given);
  row.append(
    el("span", { class: "word" },
      el("a", { href: `#/search?q=${encodeURIComponent(`"${keyword.keyword}"`)}` }, keyword.keyword),
      keyword.source === "human" ? el("span", { class: "badge" }, say("by_human")) : ""),
    el("span", { class: "score" }, bar(keyword.score, `${keyword.keyword} ${percent(keyword.score)}`), el("span", { class: "many" }, percent(keyword.score))),
    el("span", { class: "acts" }, isReadOnly() ? null : rates, isDecided || !mayDecide() ? null : el("span", { class: "offers" },
      keyword.source === "human" ? null : act("pin_it", "pin", "pin"),
      act("suppress_it", "ban", "suppress"))));
  return row;
}

export function rateButtons(keyword, rate, given) {
  const made = {};
  const message = el("small", { class: "bad" });
  for (const [verdict, shape] of [["right", "check"], ["wrong", "cross"]]) {
    const label = say(verdict, keyword.keyword);
    made[verdict] = el("button", { type: "button", class: `rate ${verdict}`, "aria-pressed": String(verdict === given), "aria-label": label, title: label, onclick: async () => {
      try {
        message.textContent = "";
        await rate(verdict);
        for (const [name, button] of Object.entries(made)) button.setAttribute("aria-pressed", String(name === verdict));
      } catch (error) {
        announce(explain(error));
        message.textContent = explain(error);
      }
    } }, icon(shape));
  }
  return el("span", { class: "rates" }, made.right, made.wrong, message);
}

function missing(record, decide, rate) {
  return missingWord(say(mayDecide() ? "add" : "tell"), async (word, id, thank) => {
    await rate(id || word, "missing", record.model_version);
    thank(id || !mayDecide() ? undefined : say("no_such_word", word));
    if (id && mayDecide()) await decide(id, "pin", word);
  });
}

// A word that a person misses; `tell` gets the word, its keyword's id if any, and a function that thanks.
export function missingWord(button, tell) {
  const list = el("ul", { id: "words", role: "listbox", "aria-label": say("keywords"), hidden: true });
  const field = el("input", { id: "missing", type: "text", autocomplete: "off", maxlength: "60", role: "combobox", "aria-expanded": "false", "aria-controls": "words", "aria-autocomplete": "list" });
  const message = el("p", { class: "hint" });
  const thank = (text = say("thanks")) => { field.value = ""; message.textContent = text; announce(text); };
  const add = async (word, chosen) => {
    if (!word) return;
    message.textContent = "";
    try {
      await tell(word, chosen || (await idOf(word)), thank);
    } catch (error) {
      announce(explain(error));
      message.textContent = explain(error);
    }
  };
  suggest(field, list, add);
  return el("form", { class: "missing", onsubmit: (event) => { event.preventDefault(); void add(field.value.trim()); } },
    el("label", { for: "missing" }, say("missing")),
    el("div", { class: "row" }, el("div", { class: "field" }, field, list), el("button", { type: "submit" }, button)),
    message);
}

// The keyword, or else the colour, of this name in any language, or nothing: an unknown word can be reported as
// missing, but not pinned.
export async function idOf(word) {
  const { keywords: all, colours: further } = await askOnce("keywords");
  return [...all, ...further].find((keyword) => Object.values(keyword.words).flat().some((own) => fold(own) === fold(word)))?.id;
}

// The vocabulary compares words like this: no case, no accents, single spaces.
function fold(word) {
  return word.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().split(/\s+/).filter(Boolean).join(" ");
}

// The photo's history, newest first: the model's results and people's decisions.
function timeline(record, decide) {
  const namesOf = (keywords) => keywords.map((keyword) => keyword.keyword).join(", ") || say("no_keywords");
  const look = (observation, names) => ({ at: observation.observed_at, shape: "photo", text: say("saw", names), by: observation.run_id });
  const events = record.decisions.map((decision) => ({
    at: decision.decided_at,
    shape: decision.decision === "pin" ? "pin" : "ban",
    text: say(decision.decision === "pin" ? "pinned" : "suppressed", decision.keyword),
    by: decision.by,
    undo: mayDecide() && (() => decide(decision.id, "release", decision.keyword)),
    keyword: decision.keyword,
  }));
  const outcome = { tagged: () => namesOf(record.model_keywords), rejected: () => say(`reason_${record.reason}`) }[record.status];
  events.push(look(record, outcome ? outcome() : say(`is_${record.status}`)));
  if (record.previous) events.push(look(record.previous, namesOf(record.previous.keywords)));
  if (record.object_time) events.push({ at: record.object_time, shape: "upload", text: say("uploaded") });
  events.sort((one, other) => new Date(other.at) - new Date(one.at));
  return el("section", {}, el("h2", {}, say("history")),
    el("ul", { class: "decisions" }, events.map((event) => el("li", {},
      icon(event.shape),
      el("span", {}, event.text, el("small", {}, ` ${moment(event.at)}${event.by ? ` · ${event.by}` : ""}`)),
      event.undo ? el("button", { type: "button", class: "small", "aria-label": say("release_it", event.keyword), onclick: event.undo }, say("release")) : null))));
}

function classes(record) {
  return el("section", {}, el("h2", {}, say("classes")),
    el("ul", { class: "classes" }, record.classes.map((result) => {
      const name = el("span", { class: "word" }, "…");
      void nameOfClass(record.model_version, result.class_index).catch(() => `#${result.class_index}`).then((text) => { name.textContent = text; });
      return el("li", {}, name, el("span", { class: "score" }, bar(result.score, percent(result.score)), el("span", { class: "many" }, percent(result.score))));
    })),
    el("p", {}, el("a", { class: "button", href: `#/compare?image=${encodeURIComponent(record.image)}` }, say("compare_this"))));
}

// Opened before its URL is known, since browsers open windows only during a click.
async function openOriginal(image) {
  const opened = window.open("", "_blank");
  const address = await photo(image).catch(() => "");
  if (address) opened.location = address;
  else opened.close();
}

function facts(record) {
  const rows = [
    ["product", el("a", { href: productAddress(record.product) }, record.product)],
    ["brand", record.listing.brand],
    ["price", record.listing.price],
    ["tags", record.listing.tags],
    ["url", record.listing.url && el("a", { href: record.listing.url, rel: "noopener noreferrer", target: "_blank" }, record.listing.url)],
    ["place", [record.image, " ", el("button", { type: "button", class: "small", onclick: () => openOriginal(record.image) }, say("original"))]],
    ["size", record.width_pixels ? `${number(record.width_pixels)} × ${number(record.height_pixels)}` : ""],
    ["model", record.model_version],
    ["taxonomy", record.taxonomy_version],
    ["uploaded", moment(record.object_time)],
    ["observed_at", moment(record.observed_at)],
    ["run", record.run_id],
    ["revision", String(record.revision)],
  ];
  return el("section", {}, el("h2", {}, say("facts")),
    el("dl", { class: "facts" }, rows.filter(([, value]) => value).map(([name, value]) => el("div", {}, el("dt", {}, say(name)), el("dd", {}, value)))));
}
