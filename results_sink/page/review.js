// Review: photo after photo, one key each. Decisions are sent in the background, and each can be undone.

import { ask, askOnce, nameOfClass, pathOf, samePhotos } from "./api.js";
import { announce, el, icon, percent } from "./dom.js";
import { explain, failure } from "./notices.js";
import { idOf, titleOf } from "./photo.js";
import { framed, PHOTO } from "./pictures.js";
import { ruleOptions } from "./rules.js";
import { addressOf, suggest } from "./search.js";
import { mayDecide } from "./signin.js";
import { forget } from "./visits.js";
import { has, language, number, say } from "./words.js";

const PAGE = 50;
const MOST_AT_ONCE = 100; // decisions of one request: the API's limit
const TARGETS = [0.9, 0.95, 0.98, 0.99]; // shares of right keywords to aim for
const SHOWN = 12; // photos in the strip
const AHEAD = 2; // photos whose guesses are fetched in advance
const KINDS = ["look", "all", "contradicted", "rule", "duplicates", "people"];
const COMPARED_AT_ONCE = 4; // photos, chosen by us: each requests its most similar ones and compares up to eight

const outbox = []; // outlives the view: decisions are sent, wherever the person goes
let sending = false;
let onSent = () => {};

export function reviewView(box, { parameters }) {
  const q = parameters.get("q") || "";
  const of = parameters.get("of") || (q ? "all" : "look");
  const rule = parameters.get("rule") || "google";
  const filters = { look: { needs_a_look: true }, people: { source: "human" }, rule: { rule }, contradicted: { contradicted: true } }[of] ?? {};
  const loadMore = of === "duplicates" ? loadGroups : load;
  const items = [];
  const selected = new Set();
  const steps = [];
  let [index, candidate, total, next, gone, loading, hasSent] = [0, 0, 0, null, false, false, false];
  let vocabulary = new Map();
  let [looks, left] = [0, null];
  let [uncompared, compared, isWhole] = [[], 0, false]; // of the search for duplicate photos

  const large = el("div", { class: "large" }, icon("photo"));
  const name = el("h2", { tabindex: "-1" }, say("loading"));
  const listing = el("p", { class: "hint listed" });
  const candidates = el("ol", { class: "candidates" });
  const strip = el("ol", { class: "strip" });
  const progress = el("progress", { max: "1", value: 0, "aria-label": say("review_title") });
  const count = el("p", { class: "count" });
  const outlook = el("p", { class: "hint outlook" });
  const saved = el("p", { class: "hint saved", role: "status" });
  const many = el("p", { class: "hint", role: "status" });
  const wrong = el("div");
  const word = wordField();
  const act = (verb, key, shape, run, kind = "") => el("button", { type: "button", class: kind, "aria-keyshortcuts": key, onclick: run }, shape ? icon(shape) : null, say(verb), el("kbd", {}, key === "Space" ? say("space") : key));
  const acts = el("div", { class: "row acts" },
    act("accept", "A", "check", accept, "main"), act("reject", "X", "cross", reject), act("right_word", "W", "tag", openWord),
    act("previous", "P", "", () => move(-1)), act("next", "N", "", () => move(1)),
    act("select", "Space", "", toggle), act("undo", "U", "back", undo),
    of === "duplicates" ? act("select_group", "G", "", selectGroup) : null);
  const KEYS = {
    a: accept, x: reject, w: openWord, u: undo, g: selectGroup, " ": toggle, n: () => move(1), p: () => move(-1),
    ArrowRight: () => move(1), ArrowLeft: () => move(-1), ArrowDown: () => choose(candidate + 1), ArrowUp: () => choose(candidate - 1),
  };
  const stage = el("article", { class: "photo review" }, large,
    el("div", {}, name, listing, candidates, mayDecide() ? acts : el("p", { class: "notice" }, say("may_not_decide")), word.form, el("p", { class: "hint keys" }, say("keys")), many));

  box.append(el("h1", { class: "on-wide" }, say("review_title")), chooser(), progress, count, outlook, saved, wrong, stage,
    el("section", { "aria-label": say("review_of") }, strip,
      el("p", {}, el("button", { type: "button", class: "small", onclick: selectShown }, say("select_shown")))));
  document.addEventListener("keydown", onKey);
  onSent = showSaved;
  void loadMore();
  if (of !== "duplicates") void foresee();
  return () => { gone = true; onSent = () => {}; document.removeEventListener("keydown", onKey); };

  function chooser() {
    const list = el("ul", { id: "review-words", role: "listbox", "aria-label": say("keywords"), hidden: true });
    const field = el("input", { id: "review-word", type: "text", value: q, placeholder: say("any_word"), autocomplete: "off", role: "combobox", "aria-expanded": "false", "aria-controls": "review-words", "aria-autocomplete": "list" });
    const kind = el("select", { id: "review-of", onchange: () => show() }, KINDS.map((value) => el("option", { value, selected: value === of }, say(`of_${value}`))));
    const rules = of === "rule" ? el("select", { id: "review-rule", "aria-label": say("rule"), onchange: () => show() }, ruleOptions(rule)) : null;
    const show = (text = field.value.trim()) => { location.hash = `#/review?${new URLSearchParams({ of: kind.value, ...(kind.value === "rule" ? { rule: rules?.value ?? rule } : {}), ...(text ? { q: text } : {}) })}`; };
    suggest(field, list, (chosen) => show(chosen.includes(" ") ? `"${chosen}"` : chosen));
    return el("form", { class: "row chooser", onsubmit: (event) => { event.preventDefault(); show(); } },
      el("div", { class: "pair" }, el("label", { for: "review-of" }, say("review_of")), kind), rules,
      el("div", { class: "pair" }, el("label", { for: "review-word" }, say("with_word")), el("div", { class: "field" }, field, list)));
  }

  // How many photos are left to review until the target is reached; the review works without it.
  async function foresee(target = TARGETS[1]) {
    const forecast = await ask("GET", "precision", { query: { target, q, ...filters, language: language() } }).catch(() => null);
    if (gone || !forecast?.keywords) { outlook.replaceChildren(); return; }
    const choice = el("select", { id: "target", "aria-label": say("target"), onchange: ({ target: { value } }) => foresee(Number(value)).then(() => document.getElementById("target")?.focus()) },
      TARGETS.map((share) => el("option", { value: share, selected: share === target }, percent(share))));
    left = el("strong", {});
    outlook.replaceChildren(say("expected_right", percent(forecast.precision)), " ", say("looks_until"), " ", choice, ": ", left);
    looks = forecast.looks;
    drawLooks();
  }

  function drawLooks() {
    if (left) left.textContent = number(Math.max(0, looks - items.filter((item) => item.keywords.length && item.decided.size).length));
  }

  async function load() {
    if (loading) return;
    loading = true;
    try {
      const [page, { keywords }] = await Promise.all([
        ask("GET", "search", { query: { q, ...filters, by: "image", sort: "least_sure", language: language(), limit: PAGE, facets: 0, cursor: next ?? undefined } }),
        askOnce("keywords"),
      ]);
      if (gone) return;
      vocabulary = new Map(keywords.map((keyword) => [keyword.id, keyword]));
      items.push(...page.results.map(itemOf));
      ({ total, next } = page);
      draw();
    } catch (error) {
      if (!gone) wrong.replaceChildren(error.code === "no_export" ? el("p", { class: "notice" }, say("none_yet")) : failure(error, load));
    } finally {
      loading = false;
    }
  }

  // Groups of the same photo: the most similar ones are compared pixel by pixel, a few photos at a time, while the
  // person is near the end of the groups found (DECISIONS.md, 144).
  async function loadGroups() {
    if (loading) return;
    loading = true;
    try {
      vocabulary = new Map((await askOnce("keywords")).keywords.map((keyword) => [keyword.id, keyword]));
      while (!gone && !isWhole && items.length < index + SHOWN) {
        await compareSome();
        if (!gone) draw();
      }
    } catch (error) {
      if (!gone) wrong.replaceChildren(error.code === "no_export" ? el("p", { class: "notice" }, say("none_yet")) : failure(error, loadGroups));
    } finally {
      loading = false;
    }
  }

  async function compareSome() {
    if (!uncompared.length) {
      const page = await ask("GET", "search", { query: { q, by: "image", sort: "image", language: language(), limit: PAGE, facets: 0, cursor: next ?? undefined } });
      uncompared = [...page.results];
      ({ total, next } = page);
    }
    const some = uncompared.splice(0, COMPARED_AT_ONCE);
    const groups = await Promise.all(some.map(async (result) => [result, ...await samePhotos(result.image)]));
    compared += some.length;
    isWhole = !uncompared.length && !next;
    for (const group of groups) {
      if (group.length > 1 && !items.some((item) => item.image === group[0].image)) items.push(...group.map((result) => ({ ...itemOf(result), group })));
    }
  }

  function itemOf(result) {
    return { ...result, candidates: mostSpecificFirst(result.keywords, vocabulary), isWhole: result.keywords.length > 0, decided: new Map() };
  }

  // ---- Display ----

  function draw() {
    const item = items[index];
    const decided = items.filter((item) => item.decided.size).length;
    const decisions = steps.reduce((sum, step) => sum + step.wishes.length, 0);
    const all = of === "duplicates" ? items.length : total;
    progress.value = all ? decided / all : 0;
    count.textContent = say("reviewed", number(decisions), number(decided), number(all));
    if (of === "duplicates") outlook.textContent = say("compared", number(compared), number(total));
    many.textContent = selected.size ? say("selected_many", number(selected.size)) : "";
    for (const button of acts.children) button.disabled = !item && button.getAttribute("aria-keyshortcuts") !== "U";
    showSaved();
    drawLooks();
    drawStrip();
    stage.classList.toggle("ended", !item);
    if (!item) { drawEnd(); return; }
    if (large.dataset.image !== item.image) large.replaceChildren(framed(item.image, { kind: "picture", alt: item.product, size: PHOTO }));
    large.dataset.image = item.image;
    name.replaceChildren(el("a", { href: addressOf(item.image) }, titleOf(item)));
    listing.textContent = [item.listing.tags, item.group && say("same_many", number(item.group.length))].filter(Boolean).join(" · ");
    drawCandidates(item);
    for (const near of items.slice(index, index + 1 + AHEAD)) void guess(near);
    if (index > items.length - SHOWN && (of === "duplicates" ? !isWhole : next)) void loadMore();
  }

  function drawEnd() {
    const isLoading = of === "duplicates" && !isWhole;
    large.replaceChildren(icon(isLoading ? "photo" : "check"));
    delete large.dataset.image;
    listing.textContent = "";
    name.textContent = say(isLoading ? "loading" : items.length ? "review_done" : has(`nothing_${of}`) && !q ? `nothing_${of}` : "none");
    candidates.replaceChildren(of === "look" ? el("li", {}, el("a", { class: "button", href: "#/review?of=all" }, say("review_all"))) : "");
  }

  function drawCandidates(item) {
    candidate = Math.max(0, Math.min(candidate, item.candidates.length - 1));
    candidates.replaceChildren(...item.candidates.map((keyword, place) => el("li", {},
      el("button", { type: "button", class: `candidate ${item.decided.get(keyword.id) ?? ""}`, "aria-current": place === candidate ? "true" : undefined, onclick: () => choose(place) },
        el("kbd", {}, String(place + 1)), el("span", {}, keyword.keyword),
        el("span", { class: "many" }, { human: say("by_human"), guess: `${say("guessed")} ${percent(keyword.score)}` }[keyword.source] ?? percent(keyword.score)),
        { pin: icon("check"), suppress: icon("cross") }[item.decided.get(keyword.id)] ?? null))));
    if (!item.candidates.length) candidates.replaceChildren(el("li", { class: "hint" }, say("no_keywords")));
  }

  function drawStrip() {
    const first = Math.max(0, Math.min(index - 2, items.length - SHOWN));
    const shown = items.slice(first, first + SHOWN);
    const known = new Map([...strip.children].map((row) => [row.dataset.image, row]));
    strip.replaceChildren(...shown.map((item, place) => {
      const row = known.get(item.image) ?? thumbnail(item, first + place);
      row.className = [item.decided.size ? "decided" : "", item.group && item.group === items[index]?.group ? "same" : ""].join(" ").trim();
      row.querySelector("button").setAttribute("aria-current", String(first + place === index));
      row.querySelector("input").checked = selected.has(item);
      return row;
    }));
  }

  function thumbnail(item, place) {
    return el("li", { "data-image": item.image },
      el("button", { type: "button", "aria-label": say("open", item.product), title: item.product, onclick: () => move(place - index) }, framed(item.image)),
      el("input", { type: "checkbox", "aria-label": say("select_it", item.product), onchange: () => toggle(item) }));
  }

  function showSaved() {
    saved.textContent = outbox.length || sending ? say("saving") : hasSent ? say("all_saved") : "";
    const failed = outbox.filter((wish) => wish.failure);
    if (failed.length && !sending) {
      wrong.replaceChildren(el("div", { class: "notice bad", role: "alert" }, el("p", {}, say("not_saved", number(outbox.length), failed[0].failure)),
        el("button", { type: "button", class: "small", onclick: () => { wrong.replaceChildren(); void post(); } }, say("again"))));
    }
  }

  // What the model saw, if no keyword was sure: an accepted guess becomes a keyword (DECISIONS.md, 87).
  async function guess(item) {
    if (item.isWhole) return;
    item.isWhole = true;
    try {
      const record = await ask("GET", pathOf(item.image), { query: { language: language() } });
      const names = await Promise.all(record.classes.map((result) => nameOfClass(record.model_version, result.class_index)));
      const ids = await Promise.all(names.map(idOf));
      item.candidates = record.classes.map((result, place) => ({ id: ids[place], keyword: vocabulary.get(ids[place])?.words[language()]?.[0] ?? names[place], score: result.score, source: "guess" })).filter((keyword) => keyword.id);
      if (!gone && items[index] === item) drawCandidates(item);
    } catch (error) {
      item.isWhole = false;
      if (!gone && items[index] === item) wrong.replaceChildren(failure(error, () => guess(item)));
    }
  }

  // ---- Actions ----

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
    if (event.key === " " && event.target.closest("button, a")) return;
    const run = /^[1-9]$/.test(event.key) ? () => choose(Number(event.key) - 1) : KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!run) return;
    event.preventDefault();
    run();
  }

  function move(by) {
    index = Math.max(0, Math.min(index + by, items.length));
    candidate = 0;
    draw();
    const item = items[index];
    announce(item ? [item.product, item.candidates[0]?.keyword].filter(Boolean).join(": ") : name.textContent);
  }

  function choose(place) {
    const item = items[index];
    if (!item || place < 0 || place >= item.candidates.length) return;
    candidate = place;
    drawCandidates(item);
    announce(item.candidates[place].keyword);
  }

  function accept() {
    const keyword = items[index]?.candidates[candidate];
    if (keyword) decide(keyword, "pin");
  }

  function reject() {
    const keyword = items[index]?.candidates[candidate];
    if (keyword) decide(keyword, "suppress");
  }

  function decide(keyword, decision) {
    if (!mayDecide()) return;
    const wishes = (selected.size ? [...selected] : [items[index]]).map((item) => ({ item, keyword, decision, before: before(item, keyword) }));
    for (const { item } of wishes) item.decided.set(keyword.id, decision);
    steps.push({ index, wishes });
    hasSent = true;
    selected.clear();
    send(wishes.map(({ item }) => ({ image: item.image, keyword: keyword.id, decision })));
    const following = items[index].candidates.findIndex((other, place) => place > candidate && !items[index].decided.has(other.id));
    if (decision === "pin" || following < 0) move(1);
    else { candidate = following; draw(); announce(items[index].candidates[following].keyword); }
  }

  function undo() {
    const step = steps.pop();
    if (!step) return;
    for (const wish of step.wishes) {
      if (wish.before.isOurs) wish.item.decided.set(wish.keyword.id, wish.before.decision);
      else wish.item.decided.delete(wish.keyword.id);
    }
    send(step.wishes.map(({ item, keyword, before: { decision } }) => ({ image: item.image, keyword: keyword.id, decision })));
    ({ index } = step);
    candidate = Math.max(0, items[index].candidates.findIndex((keyword) => keyword.id === step.wishes[0].keyword.id));
    draw();
    announce(`${say("undo")}: ${step.wishes[0].keyword.keyword}`);
  }

  function toggle(item = items[index]) {
    const chosen = item?.image ? item : items[index];
    if (!chosen) return;
    if (!selected.delete(chosen)) selected.add(chosen);
    draw();
  }

  function selectShown() {
    for (const row of strip.children) selected.add(items.find((item) => item.image === row.dataset.image));
    draw();
  }

  function selectGroup() {
    const { group } = items[index] ?? {};
    for (const item of items) if (group && item.group === group) selected.add(item);
    draw();
  }

  function openWord() {
    if (!items[index] || !mayDecide()) return;
    word.form.hidden = false;
    word.field.focus();
  }

  function wordField() {
    const list = el("ul", { id: "right-words", role: "listbox", "aria-label": say("keywords"), hidden: true });
    const field = el("input", { id: "right-word", type: "text", autocomplete: "off", maxlength: "60", role: "combobox", "aria-expanded": "false", "aria-controls": "right-words", "aria-autocomplete": "list" });
    const message = el("p", { class: "hint", role: "status" });
    const take = async (text, id) => {
      try {
        const keyword = id ?? (await idOf(text));
        if (!keyword) { message.textContent = say("unknown_word", text); return; }
        close();
        decide({ id: keyword, keyword: text }, "pin");
      } catch (error) {
        message.textContent = explain(error);
      }
    };
    suggest(field, list, (text, id) => void take(text, id));
    const form = el("form", { class: "missing", hidden: true, onsubmit: (event) => { event.preventDefault(); if (field.value.trim()) void take(field.value.trim()); } },
      el("label", { for: "right-word" }, say("right_word")),
      el("div", { class: "row" }, el("div", { class: "field" }, field, list), el("button", { type: "submit" }, say("pin"))), message);
    const close = () => { field.value = ""; message.textContent = ""; form.hidden = true; name.focus({ preventScroll: true }); };
    field.addEventListener("keydown", (event) => { if (event.key === "Escape" && list.hidden) close(); });
    return { form, field };
  }
}

// The decisions before, for undo to restore.
function before(item, keyword) {
  if (item.decided.has(keyword.id)) return { decision: item.decided.get(keyword.id), isOurs: true };
  const isPinned = item.keywords.some((tag) => tag.id === keyword.id && tag.source === "human");
  return { decision: isPinned ? "pin" : "release", isOurs: false };
}

// A broader keyword comes after the one that implies it, so that one key accepts the most.
function mostSpecificFirst(keywords, vocabulary) {
  const broader = new Set();
  const climb = (id) => { for (const parent of vocabulary.get(id)?.parents ?? []) if (!broader.has(parent)) { broader.add(parent); climb(parent); } };
  keywords.forEach((keyword) => climb(keyword.id));
  return [...keywords.filter((keyword) => !broader.has(keyword.id)), ...keywords.filter((keyword) => broader.has(keyword.id))];
}

function send(wishes) {
  outbox.push(...wishes);
  forget(); // a kept search would show the photos as they were before
  void post();
}

// One request at a time, so that the last decision on a keyword wins (DECISIONS.md, 85).
async function post() {
  if (sending) return;
  sending = true;
  onSent();
  try {
    while (outbox.length) {
      const batch = outbox.slice(0, MOST_AT_ONCE);
      const { decisions } = await ask("POST", "decisions", { json: { decisions: batch.map(({ image, keyword, decision }) => ({ image, keyword, decision })) } });
      const failed = batch.filter((wish, place) => { wish.failure = decisions[place].failure; return wish.failure; });
      outbox.splice(0, batch.length, ...failed);
      if (failed.length) break;
    }
  } catch (error) {
    outbox.forEach((wish) => { wish.failure = explain(error); });
  } finally {
    sending = false;
    onSent();
  }
}

addEventListener("beforeunload", (event) => { if (outbox.length) event.preventDefault(); });
