// Search: a box with suggestions, facets as filters, and a grid of photos.

import { ask, askOnce, MOST_BYTES } from "./api.js";
import { announce, el, icon, percent } from "./dom.js";
import { explain, failure } from "./notices.js";
import { framed } from "./pictures.js";
import { titleOf } from "./photo.js";
import { productAddress } from "./product.js";
import { ruleOptions } from "./rules.js";
import { isReadOnly } from "./signin.js";
import { setTrail } from "./visits.js";
import { language, number, say } from "./words.js";

const PAGE = 24;
const FACETS = 14;
const TYPING_MS = 120;
const FURTHER = ["colour", "rule", "source", "min", "since", "until", "sort"]; // filters and the order, as the API calls them

export function addressOf(image) {
  return `#/photo/${image.replace("s3://", "").split("/").map(encodeURIComponent).join("/")}`;
}

export function searchView(box, { parameters, kept }) {
  const state = {
    q: parameters.get("q") || "",
    text: parameters.get("text") || "", // in the shop's own listing
    inListing: parameters.has("text"),
    narrow: parameters.getAll("narrow"),
    product: parameters.get("by") !== "image",
    look: parameters.get("needs_a_look") === "true",
    reason: parameters.get("reason") || "", // of rejection: no words find rejected photos
    ...Object.fromEntries(FURTHER.map((name) => [name, parameters.get(name) || ""])),
  };
  const results = el("ul", { class: "grid" });
  const count = el("p", { class: "count", role: "status" });
  const facets = el("div", { class: "facets" });
  const more = el("button", { type: "button", class: "more", hidden: true }, say("more"));
  const wrong = el("div");
  const notes = el("div", { class: "notes" });
  const stop = new AbortController();
  const file = el("input", { type: "file", id: "photo", accept: "image/*", class: "hidden", onchange: () => { void byPhoto(file.files[0]); file.value = ""; } });
  const form = searchBox({ q: kept ?? (state.inListing ? state.text : state.q), inListing: state.inListing }, (typed, inListing) => change({ q: inListing ? "" : typed, text: inListing ? typed : "", inListing, narrow: [], reason: "" }), () => ({ needs_a_look: state.look || undefined, source: state.source || undefined }), isReadOnly() ? [] : [file, el("label", { class: "button round", for: "photo", title: say("by_photo") }, icon("photo"), el("span", { class: "hidden" }, say("by_photo")))]);
  let asks = 0;
  let listed = []; // the results so far

  box.append(
    el("h1", { class: "on-wide" }, say("search_title")),
    form,
    el("div", { class: "found" },
      el("aside", { class: "narrowing", "aria-label": say("narrow") },
        el("label", { class: "switch" },
          el("input", { type: "checkbox", checked: state.product, onchange: ({ target }) => change({ product: target.checked }) }),
          say("by_product")),
        el("label", { class: "switch" },
          el("input", { type: "checkbox", checked: state.look, onchange: ({ target }) => change({ look: target.checked }) }),
          say("only_needs_a_look")),
        furtherFilters(state, change),
        chosen(state, change),
        facets),
      el("section", { "aria-label": say("search") }, count, notes, results, wrong, el("p", { class: "center" }, more))));
  void load();
  return () => { stop.abort(); return form.elements.q.value; };

  function change(changed) {
    const next = { ...state, ...changed };
    const query = new URLSearchParams();
    if (next.q) query.set("q", next.q);
    if (next.inListing) query.set("text", next.text);
    next.narrow.forEach((keyword) => query.append("narrow", keyword));
    if (!next.product) query.set("by", "image");
    if (next.look) query.set("needs_a_look", "true");
    if (next.reason) query.set("reason", next.reason);
    for (const name of FURTHER) if (next[name]) query.set(name, next[name]);
    const hash = `#/search${query.size ? `?${query}` : ""}`;
    if (hash === location.hash || (hash === "#/search" && !location.hash)) void load();
    else location.hash = hash;
  }

  async function load(cursor) {
    const mine = ++asks; // only the last answer is shown: two clicks on "more" append the next page once
    wrong.replaceChildren();
    if (!cursor) {
      notes.replaceChildren();
      count.textContent = say("loading");
      results.replaceChildren(...Array.from({ length: 8 }, () => el("li", { class: "card waiting", "aria-hidden": "true" })));
    }
    try {
      const query = { q: wholeQuery(state), text: state.text || undefined, language: language(), by: state.product ? "product" : "image", needs_a_look: state.look || undefined, reason: state.reason || undefined, limit: PAGE, facets: FACETS + 6, cursor };
      for (const name of FURTHER) query[name] = state[name] || undefined;
      const page = await ask("GET", "search", { query, signal: stop.signal });
      if (mine === asks) show(page, Boolean(cursor));
    } catch (error) {
      if (error.name !== "AbortError" && mine === asks) fail(error, cursor);
    }
  }

  // Photos similar to one from this device, which is not stored.
  async function byPhoto(photo) {
    if (photo.size > MOST_BYTES) { wrong.replaceChildren(el("p", { class: "notice bad", role: "alert" }, say("too_large", photo.name))); return; }
    const mine = ++asks;
    wrong.replaceChildren();
    count.textContent = say("loading");
    try {
      const { vector } = await ask("POST", "classify", { body: await photo.arrayBuffer(), type: "application/octet-stream", signal: stop.signal });
      const answer = await ask("POST", "similar", { query: { language: language() }, json: { vector, by: state.product ? "product" : "image", limit: PAGE }, signal: stop.signal });
      if (mine !== asks) return;
      for (const part of [notes, facets]) part.replaceChildren();
      more.hidden = true;
      results.replaceChildren(...answer.results.map(card));
      count.textContent = answer.results.length ? say("like_photo", photo.name) : say("none");
      announce(count.textContent);
    } catch (error) {
      if (error.name !== "AbortError" && mine === asks) fail(error, true);
    }
  }

  function fail(error, cursor) {
    const noneYet = error.code === "no_export";
    const isMistake = error.status >= 400 && error.status < 500;
    if (!noneYet) wrong.replaceChildren(failure(error, isMistake ? null : () => load(cursor)));
    if (cursor) return; // the results on screen stay
    results.replaceChildren();
    facets.replaceChildren();
    more.hidden = true;
    count.textContent = noneYet ? say("none_yet") : "";
  }

  function show(page, further) {
    if (!further) results.replaceChildren();
    const cards = page.results.map(card);
    results.append(...cards);
    listed = [...(further ? listed : []), ...page.results];
    setTrail(listed.map(({ image, product }) => ({ photo: addressOf(image), product: productAddress(product) })));
    count.textContent = page.total === 1 ? say("found_one") : page.total ? say("found", number(page.total)) : say("none");
    if (!further) notes.replaceChildren(...hints(page));
    if (further) cards[0]?.querySelector("a").focus();
    else announce(count.textContent);
    more.hidden = !page.next;
    more.onclick = () => load(page.next);
    const left = page.facets.filter((facet) => !state.narrow.includes(facet.keyword) && facet.count < page.total).slice(0, FACETS);
    facets.replaceChildren(...(left.length ? [el("h2", {}, say("narrow")), el("ul", {}, left.map(facet))] : []));
  }

  // Words left out or corrected; if nothing was found, what to search for instead.
  function hints(page) {
    const links = (words) => el("span", { class: "chips" }, words.map((word) => el("a", { class: "chip", href: `#/search?q=${encodeURIComponent(word)}` }, word)));
    return [
      page.ignored.length ? el("p", { class: "hint" }, say("left_out", page.ignored.join(", "))) : null,
      ...page.corrections.map((pair) => el("p", { class: "hint" }, say("read_as", pair.typed, pair.read_as))),
      page.suggestions.length ? el("p", {}, say("did_you_mean"), " ", links(page.suggestions)) : null,
      page.available.length ? el("p", {}, say("there_is"), " ", links(page.available.map((facet) => facet.keyword))) : null,
    ].filter(Boolean);
  }

  function facet({ keyword, count: many }) {
    return el("li", {}, el("button", { type: "button", class: "facet", onclick: () => change({ narrow: [...state.narrow, keyword] }) },
      el("span", {}, keyword), el("span", { class: "many" }, number(many))));
  }
}

// A query alone gets no parentheses, so that the column of an error is the one that the person sees.
function wholeQuery(state) {
  const parts = state.narrow.map((keyword) => `"${keyword}"`);
  if (state.q.trim()) return parts.length ? [`(${state.q})`, ...parts].join(" AND ") : state.q;
  return parts.join(" AND ");
}

// Colour, photo rule, keyword source, score, days and order: folded unless one of them is set.
function furtherFilters(state, change) {
  const choice = (name, text, options) => el("label", { class: "filter" }, say(text),
    el("select", { onchange: ({ target }) => change({ [name]: target.value }) }, el("option", { value: "" }, say(name === "sort" ? "sort_score" : "any_word")), options));
  const option = (name, value, text) => el("option", { value, selected: state[name] === value }, text);
  const day = (name) => el("label", { class: "filter" }, say(name), el("input", { type: "date", value: state[name], onchange: ({ target }) => change({ [name]: target.value }) }));
  const colours = choice("colour", "colour", state.colour ? option("colour", state.colour, state.colour) : []);
  const nameColours = async () => {
    const { colours: all } = await askOnce("keywords");
    const names = all.map(({ id, words }) => option("colour", id.replace("colour-", ""), words[language()]));
    const select = colours.querySelector("select");
    select.replaceChildren(select.firstChild, ...names);
  };
  return el("details", { class: "further", open: FURTHER.some((name) => state[name]), ontoggle: ({ target }) => target.open && void nameColours().catch((error) => target.append(el("p", { class: "hint bad" }, explain(error)))) },
    el("summary", {}, say("more_filters")),
    el("div", {},
      choice("sort", "order", ["least_sure", "newest", "image"].map((sort) => option("sort", sort, say(`sort_${sort}`)))),
      colours,
      choice("rule", "rule", ruleOptions(state.rule)),
      choice("source", "decided_by", ["human", "model", "head"].map((source) => option("source", source, say(`by_${source}`)))),
      choice("min", "least_score", [0.5, 0.7, 0.9].map((least) => option("min", String(least), percent(least)))),
      day("since"), day("until")));
}

function chosen(state, change) {
  if (!state.narrow.length && !state.reason) return null;
  const reason = state.reason && el("li", {}, el("button", { type: "button", class: "chip on", "aria-label": say("remove", say(`reason_${state.reason}`)), onclick: () => change({ reason: "" }) }, say(`reason_${state.reason}`), icon("cross")));
  return el("ul", { class: "chips chosen" }, reason || null, state.narrow.map((keyword) => el("li", {},
    el("button", { type: "button", class: "chip on", "aria-label": say("remove", keyword), onclick: () => change({ narrow: state.narrow.filter((other) => other !== keyword) }) },
      keyword, icon("cross")))));
}

export function card(result) {
  const words = result.keywords.slice(0, 3);
  return el("li", { class: "card" },
    el("a", { href: addressOf(result.image) },
      framed(result.image),
      el("span", { class: "name" }, titleOf(result)),
      result.listing.price || result.listing.brand ? el("small", {}, [result.listing.brand, result.listing.price].filter(Boolean).join(" · ")) : null,
      el("span", { class: "chips" }, words.map((word) => el("span", { class: word.source === "human" ? "chip human" : "chip", title: percent(word.score) }, word.keyword)))));
}

// ---- The box: a text field with a list of suggestions, as the ARIA combobox pattern asks ----

export function searchBox(state, submit, filters, further) {
  const list = el("ul", { id: "suggestions", role: "listbox", "aria-label": say("keywords"), hidden: true });
  const field = el("input", {
    type: "search", id: "q", name: "q", value: state.q, autocomplete: "off", spellcheck: "false", placeholder: say("what"),
    role: "combobox", "aria-label": say("what"), "aria-expanded": "false", "aria-controls": "suggestions", "aria-autocomplete": "list", "aria-describedby": "hint",
  });
  const mode = el("select", { class: "mode", "aria-label": say("search_in"), onchange: () => { if (field.value.trim()) submit(field.value.trim(), mode.value === "listing"); } },
    ["keywords", "listing"].map((value) => el("option", { value, selected: (value === "listing") === state.inListing }, say(`in_${value}`))));
  const inListing = () => mode.value === "listing";
  suggest(field, list, (word, id, query) => {
    field.value = query || withLast(field.value, word); // the choice replaces the text being typed
    submit(field.value);
  }, filters, inListing);
  return el("form", { role: "search", class: "search", onsubmit: (event) => { event.preventDefault(); submit(field.value.trim(), inListing()); } },
    el("div", { class: "field" }, icon("search"), field, list), mode, further,
    el("button", { type: "submit", class: "main" }, say("search")),
    el("p", { id: "hint", class: "hint" }, say("search_hint")));
}

// With `filters`, completes whole queries, ranked by their results; without, words of the vocabulary.
export function suggest(field, list, choose, filters, isOff = () => false) {
  let timer = 0;
  let at = -1;
  let requests = 0;
  const options = () => [...list.children];

  function close() {
    list.hidden = true;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
    at = -1;
  }

  function point(to) {
    const all = options();
    at = (to + all.length) % all.length;
    all.forEach((option, place) => option.setAttribute("aria-selected", String(place === at)));
    field.setAttribute("aria-activedescendant", all[at].id);
    all[at].scrollIntoView({ block: "nearest" });
  }

  async function fill() {
    const typed = lastWord(field.value);
    const mine = ++requests;
    if (typed.length < 2 || isOff()) { close(); return; }
    const isWhole = filters && typed === field.value.trim(); // no operator precedes the completed part
    const further = isWhole ? { completes: "query", ...filters() } : {};
    const answer = await ask("GET", "suggest", { query: { q: typed, language: language(), limit: 8, ...further } }).catch(() => ({ suggestions: [] }));
    if (mine !== requests || document.activeElement !== field) return;
    list.replaceChildren(...answer.suggestions.map((suggestion, place) => el("li", {
      id: `${list.id}-${place}`, role: "option", "aria-selected": "false",
      onmousedown: (event) => { event.preventDefault(); close(); choose(suggestion.word, suggestion.id, isWhole ? suggestion.query : ""); },
    }, el("span", {}, isWhole ? suggestion.query : suggestion.word, suggestion.word === suggestion.keyword ? "" : el("small", {}, ` ${suggestion.keyword}`)), suggestion.images ? el("span", { class: "many" }, number(suggestion.images)) : "")));
    list.hidden = !answer.suggestions.length;
    field.setAttribute("aria-expanded", String(!list.hidden));
    at = -1;
    field.suggestions = answer.suggestions.map((suggestion) => ({ ...suggestion, query: isWhole ? suggestion.query : "" }));
  }

  field.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(fill, TYPING_MS); });
  field.addEventListener("blur", close);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !list.hidden) { event.preventDefault(); close(); return; }
    if (list.hidden || !list.children.length) return;
    if (event.key === "ArrowDown") { event.preventDefault(); point(at + 1); }
    else if (event.key === "ArrowUp") { event.preventDefault(); point(at < 0 ? -1 : at - 1); }
    else if (event.key === "Enter" && at >= 0) {
      event.preventDefault();
      const { word, id, query } = field.suggestions[at];
      close();
      choose(word, id, query);
    }
  });
}

function lastPiece(text) {
  return text.split(/\s(?:AND|OR|NOT)\s|[()"]|\bNOT\s/).pop();
}

function lastWord(text) {
  return lastPiece(text).trim();
}

// The text with its last word replaced, even before a trailing space or after an open quotation mark.
function withLast(text, word) {
  let before = text.slice(0, text.length - lastPiece(text).trimStart().length);
  if (before.split('"').length % 2 === 0) before = before.slice(0, before.lastIndexOf('"'));
  return `${before}${word.includes(" ") && before.trim() ? `"${word}"` : word}`.trim();
}
