// One product: all its photos, and the keywords of all of them.

import { ask } from "./api.js";
import { el, percent } from "./dom.js";
import { failure } from "./notices.js";
import { backLink, nameOf } from "./photo.js";
import { framed } from "./pictures.js";
import { addressOf } from "./search.js";
import { language, number, say } from "./words.js";

export function productAddress(product) {
  return `#/product/${product.split("/").map(encodeURIComponent).join("/")}`;
}

export function productView(box, { product }) {
  const content = el("div", {}, el("p", { class: "hint" }, say("loading")));
  let gone = false;
  box.append(backLink(), el("h1", {}, product), content);
  void load();
  return () => { gone = true; };

  async function load() {
    try {
      const path = product.split("/").map(encodeURIComponent).join("/");
      const answer = await ask("GET", `products/${path}`, { query: { language: language() } });
      if (!gone) content.replaceChildren(...sections(answer));
    } catch (error) {
      if (!gone) content.replaceChildren(failure(error, load));
    }
  }
}

function sections(answer) {
  const count = answer.images.length === 1 ? say("photos_of_one") : say("photos_of", number(answer.images.length));
  return [
    el("p", { class: "count" }, count),
    el("ul", { class: "grid" }, answer.images.map(photoCard)),
    el("h2", {}, say("all_keywords")),
    answer.keywords.length
      ? el("ul", { class: "chips" }, answer.keywords.map((each) => el("li", {}, el("a", { class: each.source === "human" ? "chip human" : "chip", href: `#/search?q=${encodeURIComponent(`"${each.keyword}"`)}` }, each.keyword, el("small", {}, ` ${percent(each.score)}`)))))
      : el("p", { class: "hint" }, say("no_keywords")),
  ];
}

function photoCard(image) {
  const below = {
    tagged: () => el("span", { class: "chips" }, image.keywords.slice(0, 3).map((each) => el("span", { class: each.source === "human" ? "chip human" : "chip" }, each.keyword))),
    rejected: () => el("span", {}, say(`reason_${image.reason}`)),
  }[image.status] ?? (() => el("span", {}, say(`is_${image.status}`)));
  return el("li", { class: "card" }, el("a", { href: addressOf(image.image) }, framed(image.image), el("span", { class: "name" }, nameOf(image.image)), below()));
}
