// Compare: one photo, several models, side by side, and what people say of their keywords.

import { ask, askOnce, MOST_BYTES, thumbnail } from "./api.js";
import { announce, bar, el, icon, percent } from "./dom.js";
import { missingWord, rateButtons } from "./photo.js";
import { PHOTO } from "./pictures.js";
import { language, say } from "./words.js";


export function compareView(box, { asked, kept }) {
  const image = asked.get("image");
  const frame = el("div", { class: "large" }, icon("photo"));
  const answers = el("div", { class: "columns" }, el("p", { class: "empty" }, icon("photo"), say("compare_hint")));
  const models = el("fieldset", {}, el("legend", {}, say("models")));
  const input = el("input", { type: "file", id: "file", accept: "image/*", class: "hidden", onchange: () => { const [file] = input.files; input.value = ""; if (file) void ofFile(file); } });
  const link = el("input", { type: "url", id: "link", value: kept?.link ?? "", placeholder: "https://", "aria-label": say("from_link") });
  const message = el("p", { class: "hint", role: "status" });
  const missed = el("div");
  let last = kept?.last ?? (image ? { what: { link: image }, name: image } : null);
  let asks = 0;
  let listed = null;

  box.append(
    el("h1", {}, say("compare_title")),
    el("div", { class: "compare" },
      el("div", { class: "asked" },
        frame,
        input,
        el("label", { class: "button main", for: "file" }, icon("upload"), say("from_file")),
        el("form", { class: "row", onsubmit: (event) => { event.preventDefault(); if (link.value) void look({ what: { link: link.value }, name: link.value }); } }, link, el("button", { type: "submit" }, say("look"))),
        models,
        message,
        missed),
      answers));
  if (last) void look(last);
  else list().catch((error) => { message.textContent = say("error", error.message); });
  return () => ({ last, link: link.value });

  // Once; where it failed, the next photo tries again.
  function list() {
    listed ??= askOnce("models").then(({ models: all }) => models.append(...all.map(choice)), (error) => { listed = null; throw error; });
    return listed;
  }

  function choice(model, at) {
    return el("label", { class: "switch" },
      el("input", { type: "checkbox", value: model.model, checked: at < 3, onchange: () => last && look(last) }), `${model.model} `, el("small", {}, `${model.precision} · ${model.model_version}`));
  }

  function see(address) {
    const picture = el("img", { src: address, alt: "" });
    picture.addEventListener("error", () => picture.remove());
    frame.replaceChildren(icon("photo"), picture);
  }

  async function ofFile(file) {
    if (file.size > MOST_BYTES) { message.textContent = say("too_large", file.name); return; }
    const mine = ++asks;
    try {
      const bytes = await file.arrayBuffer();
      if (mine === asks) await look({ what: bytes, name: "", address: URL.createObjectURL(file) });
    } catch (error) {
      if (mine === asks) message.textContent = say("error", error.message);
    }
  }

  // Only the last photo's answer is shown: an earlier one that comes later belongs to another picture.
  async function look(photograph) {
    last = photograph;
    const mine = ++asks;
    const { what, name, address } = photograph;
    message.textContent = say("loading");
    frame.replaceChildren(icon("photo"));
    missed.replaceChildren();
    if (address) see(address);
    if (name.startsWith("s3://")) void thumbnail(name, PHOTO).then((small) => mine === asks && see(URL.createObjectURL(small))).catch(() => {});
    try {
      const found = await classified(what);
      if (mine !== asks) return;
      message.textContent = found?.low_information ? say("low_information") : "";
      const told = found?.models ?? [];
      const rated = name.startsWith("s3://") ? name : `sha256:${found?.sha256}`; // what lies elsewhere is known by its content
      answers.replaceChildren(...told.map((each) => column(each, rated)));
      if (told.length) missed.replaceChildren(missingWord(say("tell"), (word, id, thank) => miss(rated, told, id || word).then(() => thank())));
      if (found) announce(say("compare_title"));
    } catch (error) {
      if (mine !== asks) return;
      answers.replaceChildren();
      message.textContent = error.reason ? say(`reason_${error.reason}`) : say("error", error.message);
    }
  }

  async function classified(what) {
    await list();
    const chosen = [...models.querySelectorAll("input:checked")].map((each) => each.value);
    if (!chosen.length) return null;
    const sent = what instanceof ArrayBuffer ? { body: what, type: "application/octet-stream" } : { json: what };
    return ask("POST", "classify", { query: { models: chosen.join(","), language: language() }, ...sent });
  }
}

function miss(image, answers, keyword) {
  const ratings = answers.map((each) => ({ image, keyword, verdict: "missing", model_version: each.model_version }));
  return ask("POST", "ratings", { json: { ratings } });
}

function column(answer, name) {
  const rate = (each) => (verdict) => ask("POST", "ratings", { json: { ratings: [{ image: name, keyword: each.id, verdict, model_version: answer.model_version }] } }).then(() => announce(say("thanks")));
  return el("section", { class: "column", "aria-label": answer.model },
    el("h2", {}, answer.model, el("small", {}, ` ${say("milliseconds", answer.milliseconds)}`)),
    el("h3", {}, say("keywords")),
    answer.keywords.length
      ? el("ul", { class: "keywords" }, answer.keywords.map((each) => el("li", {}, el("span", { class: "word" }, each.keyword), score(each.score), el("span", { class: "acts" }, rateButtons(each, rate(each))))))
      : el("p", { class: "hint" }, say("no_keywords")),
    el("h3", {}, say("classes")),
    el("ul", { class: "classes" }, answer.classes.map((each) => el("li", {}, el("span", { class: "word" }, each.class), score(each.score)))),
    el("p", { class: "hint" }, `${say("model")} ${answer.model_version} · ${say("taxonomy")} ${answer.taxonomy_version}`));
}

function score(value) {
  return el("span", { class: "score" }, bar(value, percent(value)), el("span", { class: "many" }, percent(value)));
}
