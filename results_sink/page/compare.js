// Compare: one photo, several models, side by side, and what people say of their keywords.

import { ask, askOnce, photo } from "./api.js";
import { announce, bar, el, icon, percent } from "./dom.js";
import { rateButtons } from "./photo.js";
import { language, say } from "./words.js";

const MOST_BYTES = 4_000_000; // what fits through the API in one request

export function compareView(box, { asked }) {
  const image = asked.get("image");
  const frame = el("div", { class: "large" }, icon("photo"));
  const answers = el("div", { class: "columns" }, el("p", { class: "empty" }, icon("photo"), say("compare_hint")));
  const models = el("fieldset", {}, el("legend", {}, say("models")));
  const input = el("input", { type: "file", id: "file", accept: "image/*", class: "hidden", onchange: () => input.files[0] && ofFile(input.files[0]) });
  const link = el("input", { type: "url", id: "link", placeholder: "https://", "aria-label": say("from_link") });
  const message = el("p", { class: "hint", role: "status" });
  let last = null;

  box.append(
    el("h1", {}, say("compare_title")),
    el("div", { class: "compare" },
      el("div", { class: "asked" },
        frame,
        input,
        el("label", { class: "button main", for: "file" }, icon("upload"), say("from_file")),
        el("form", { class: "row", onsubmit: (event) => { event.preventDefault(); if (link.value) void look({ link: link.value }, link.value); } }, link, el("button", { type: "submit" }, say("look"))),
        models,
        message),
      answers));
  if (image) answers.replaceChildren();
  void list();

  async function list() {
    try {
      const found = (await askOnce("models")).models;
      models.append(...found.map((each, at) => el("label", { class: "switch" },
        el("input", { type: "checkbox", value: each.model, checked: at < 3, onchange: () => last && look(...last) }), `${each.model} `, el("small", {}, `${each.precision} · ${each.model_version}`))));
      if (image) await look({ link: image }, image);
    } catch (error) {
      message.textContent = say("error", error.message);
    }
  }

  function see(address) {
    const picture = el("img", { src: address, alt: "" });
    picture.addEventListener("error", () => picture.remove());
    frame.replaceChildren(icon("photo"), picture);
  }

  async function ofFile(file) {
    if (file.size > MOST_BYTES) { message.textContent = say("too_large", file.name); return; }
    see(URL.createObjectURL(file));
    const bytes = await file.arrayBuffer();
    const digest = [...new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))].map((each) => each.toString(16).padStart(2, "0")).join("");
    await look(bytes, `sha256:${digest}`);
  }

  async function look(what, name) {
    last = [what, name];
    const chosen = [...models.querySelectorAll("input:checked")].map((each) => each.value);
    if (!chosen.length) { answers.replaceChildren(); return; }
    message.textContent = say("loading");
    if (name.startsWith("s3://")) void photo(name).then((address) => address && see(address)).catch(() => {});
    const query = { models: chosen.join(","), language: language() };
    try {
      const sent = what instanceof ArrayBuffer ? { body: what, type: "application/octet-stream" } : { json: what };
      const found = await ask("POST", "classify", { query, ...sent });
      message.textContent = found.low_information ? say("low_information") : "";
      answers.replaceChildren(...found.models.map((each) => column(each, name)));
      announce(say("compare_title"));
    } catch (error) {
      answers.replaceChildren();
      message.textContent = error.reason ? say(`reason_${error.reason}`) : error.message;
    }
  }
}

function column(answer, name) {
  const mayRate = name.startsWith("s3://") || name.startsWith("sha256:");
  const rate = (each) => (verdict) => ask("POST", "ratings", { json: { image: name, keyword: each.id, verdict, model_version: answer.model_version } }).then(() => announce(say("thanks")));
  return el("section", { class: "column", "aria-label": answer.model },
    el("h2", {}, answer.model, el("small", {}, ` ${say("milliseconds", answer.milliseconds)}`)),
    el("h3", {}, say("keywords")),
    answer.keywords.length
      ? el("ul", { class: "keywords" }, answer.keywords.map((each) => el("li", {}, el("span", { class: "word" }, each.keyword), score(each.score), mayRate ? el("span", { class: "acts" }, rateButtons(each, rate(each))) : null)))
      : el("p", { class: "hint" }, say("no_keywords")),
    el("h3", {}, say("classes")),
    el("ul", { class: "classes" }, answer.classes.map((each) => el("li", {}, el("span", { class: "word" }, each.class), score(each.score)))),
    el("p", { class: "hint" }, `${say("model")} ${answer.model_version} · ${say("taxonomy")} ${answer.taxonomy_version}`));
}

function score(value) {
  return el("span", { class: "score" }, bar(value, percent(value)), el("span", { class: "many" }, percent(value)));
}
