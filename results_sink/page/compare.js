// Compare: several models side by side on one photo, where they differ, and people's ratings of their keywords.

import { ask, askOnce, MOST_BYTES, thumbnail } from "./api.js";
import { announce, bar, el, icon, percent } from "./dom.js";
import { explain } from "./notices.js";
import { missingWord, rateButtons } from "./photo.js";
import { PHOTO } from "./pictures.js";
import { language, number, say } from "./words.js";

const DIFFERENCE = 0.1; // of two scores, chosen by us: below it two models agree

export function compareView(box, { parameters, kept }) {
  const image = parameters.get("image");
  const frame = el("div", { class: "large", hidden: true }, icon("photo"));
  const answers = el("div", { class: "answers" }, el("p", { class: "empty" }, icon("photo"), say("compare_hint")));
  const models = el("fieldset", {}, el("legend", {}, say("models")));
  const input = el("input", { type: "file", id: "file", accept: "image/*", class: "hidden", onchange: () => { const [file] = input.files; input.value = ""; if (file) void ofFile(file); } });
  const link = el("input", { type: "url", id: "link", value: kept?.link ?? "", placeholder: "https://", "aria-label": say("from_link") });
  const message = el("p", { class: "hint", role: "status" });
  let last = kept?.last ?? (image ? { source: { link: image }, name: image } : null);
  let requests = 0;
  let listed = null;

  box.append(
    el("h1", {}, say("compare_title")),
    el("div", { class: "compare" },
      el("div", { class: "request" },
        frame,
        input,
        el("label", { class: "button main", for: "file" }, icon("upload"), say("from_file")),
        el("form", { class: "row", onsubmit: (event) => { event.preventDefault(); if (link.value) void look({ source: { link: link.value }, name: link.value }); } }, link, el("button", { type: "submit" }, say("look"))),
        models,
        message),
      answers));
  if (last) void look(last);
  else list().catch((error) => { message.textContent = explain(error); });
  return () => ({ last, link: link.value });

  // Loaded once; after a failure, the next photo tries again.
  function list() {
    listed ??= askOnce("models").then(({ models: all }) => models.append(...all.map(choice)), (error) => { listed = null; throw error; });
    return listed;
  }

  function choice(model, index) {
    return el("label", { class: "switch" },
      el("input", { type: "checkbox", value: model.model, checked: index < 3, onchange: () => last && look(last) }), `${model.model} `, el("small", {}, `${model.precision} · ${model.model_version}`));
  }

  function see(address) {
    const picture = el("img", { src: address, alt: "" });
    picture.addEventListener("error", () => picture.remove());
    frame.replaceChildren(icon("photo"), picture);
  }

  async function ofFile(file) {
    if (file.size > MOST_BYTES) { message.textContent = say("too_large", file.name); return; }
    const mine = ++requests;
    try {
      const bytes = await file.arrayBuffer();
      if (mine === requests) await look({ source: bytes, name: "", address: URL.createObjectURL(file) });
    } catch (error) {
      if (mine === requests) message.textContent = explain(error);
    }
  }

  // Only the last photo's answer is shown: a late answer belongs to an earlier photo.
  async function look(photograph) {
    last = photograph;
    const mine = ++requests;
    const { source, name, address } = photograph;
    message.textContent = say("loading");
    frame.replaceChildren(icon("photo"));
    frame.hidden = false;
    if (address) see(address);
    if (name.startsWith("s3://")) void thumbnail(name, PHOTO).then((small) => mine === requests && see(URL.createObjectURL(small))).catch(() => {});
    try {
      const answer = await classify(source);
      if (mine !== requests) return;
      message.textContent = answer?.low_information ? say("low_information") : "";
      answers.replaceChildren(...(answer ? results(answer, name.startsWith("s3://") ? name : `sha256:${answer.sha256}`) : [])); // a photo from elsewhere is identified by its content
      if (answer) announce(say("compare_title"));
    } catch (error) {
      if (mine !== requests) return;
      answers.replaceChildren();
      message.textContent = explain(error);
    }
  }

  async function classify(source) {
    await list();
    const chosen = [...models.querySelectorAll("input:checked")].map((checkbox) => checkbox.value);
    if (!chosen.length) return null;
    const sent = source instanceof ArrayBuffer ? { body: source, type: "application/octet-stream" } : { json: source };
    return ask("POST", "classify", { query: { models: chosen.join(","), language: language() }, ...sent });
  }
}

function results({ models }, rated) {
  const miss = (word, id, thank) => {
    const ratings = models.map(({ model_version }) => ({ image: rated, keyword: id || word, verdict: "missing", model_version }));
    return ask("POST", "ratings", { json: { ratings } }).then(() => thank());
  };
  return [
    models.length > 1 ? differences(models) : null,
    el("div", { class: "columns" }, models.map((model) => column(model, rated))),
    models.length ? missingWord(say("tell"), miss) : null,
  ].filter(Boolean);
}

// The keywords that some models lack or score differently; the widest difference first.
function differences(models) {
  const names = new Map(models.flatMap(({ keywords }) => keywords.map(({ id, keyword }) => [id, keyword])));
  const rows = [...names].map(([id, name]) => {
    const scores = models.map(({ keywords }) => keywords.find((keyword) => keyword.id === id)?.score ?? 0);
    return { name, scores, spread: Math.max(...scores) - Math.min(...scores) };
  }).filter(({ spread }) => spread >= DIFFERENCE).sort((one, other) => other.spread - one.spread);
  if (!rows.length) return el("p", { class: "notice differences" }, say("no_differences"));
  return el("table", { class: "differences" },
    el("caption", {}, say("differences")),
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, say("keyword")), models.map(({ model }) => el("th", { scope: "col" }, model)))),
    el("tbody", {}, rows.map(({ name, scores }) => el("tr", {}, el("th", { scope: "row" }, name), scores.map((value) => el("td", {}, value ? percent(value) : el("span", { class: "many" }, say("not_given"))))))));
}

function column(answer, name) {
  const rate = (keyword) => (verdict) => ask("POST", "ratings", { json: { ratings: [{ image: name, keyword: keyword.id, verdict, model_version: answer.model_version }] } }).then(() => announce(say("thanks")));
  return el("section", { class: "column", "aria-label": answer.model },
    el("h2", {}, answer.model, el("small", {}, ` ${say("milliseconds", number(answer.milliseconds))}`)),
    el("h3", {}, say("keywords")),
    answer.keywords.length
      ? el("ul", { class: "keywords" }, answer.keywords.map((keyword) => el("li", {}, el("span", { class: "word" }, keyword.keyword), score(keyword.score), el("span", { class: "acts" }, rateButtons(keyword, rate(keyword))))))
      : el("p", { class: "hint" }, say("no_keywords")),
    el("h3", {}, say("classes")),
    el("ul", { class: "classes" }, answer.classes.map((result) => el("li", {}, el("span", { class: "word" }, result.class), score(result.score)))),
    el("p", { class: "hint" }, `${say("model")} ${answer.model_version} · ${say("taxonomy")} ${answer.taxonomy_version}`));
}

function score(value) {
  return el("span", { class: "score" }, bar(value, percent(value)), el("span", { class: "many" }, percent(value)));
}
