// One product: its photos and keywords, similar products; photos can be added, replaced and removed.

import { ask, pathOf, samePhotos } from "./api.js";
import { announce, el, icon, percent } from "./dom.js";
import { failure } from "./notices.js";
import { above, nameOf, titleOf } from "./photo.js";
import { framed } from "./pictures.js";
import { addressOf } from "./search.js";
import { mayDecide } from "./signin.js";
import { sendPhoto } from "./upload.js";
import { forget } from "./visits.js";
import { language, number, say } from "./words.js";

const SIMILAR = 6; // products: a row of a wide window
const COMPARED = 4; // of the product's photos, chosen by us: each is compared pixel by pixel with eight others
const EVERY_MS = 1_000; // between polls of a product that is about to change
const LONGEST_MS = 60_000; // chosen by us: ten times what a photo takes on an idle stack

export function productAddress(product) {
  return `#/product/${pathOfProduct(product)}`;
}

function pathOfProduct(product) {
  return product.split("/").map(encodeURIComponent).join("/");
}

export function productView(box, { product }) {
  const count = el("p", { class: "count", role: "status" }, say("loading"));
  const photos = el("ul", { class: "grid photos" });
  const keywords = el("section", {});
  const same = el("section", {});
  const alike = el("section", {});
  const wrong = el("div", {});
  const input = el("input", { type: "file", id: "more-photos", multiple: true, accept: "image/*", class: "hidden", onchange: () => { const files = [...input.files]; input.value = ""; void change(say("uploading"), () => add(files)); } });
  const bar = above(location.hash);
  let gone = false;
  let busy = false;
  const title = el("h1", {}, product);
  const listing = el("p", { class: "listing" });
  box.append(bar.row, title, listing, count, wrong, photos,
    el("p", {}, input, el("label", { class: "button", for: "more-photos" }, icon("upload"), say("add_photos"))), keywords, same, alike);
  void load().then(loadSame);
  void loadAlike();
  return () => { gone = true; bar.leave(); };

  async function load() {
    try {
      const answer = await read();
      if (!gone) show(answer);
      return answer.images;
    } catch (error) {
      if (gone) return [];
      count.textContent = "";
      wrong.replaceChildren(failure(error, load));
      return [];
    }
  }

  // An unknown product has no photo yet; its first one is added here.
  async function read() {
    try {
      const answer = await ask("GET", `products/${pathOfProduct(product)}`, { query: { language: language() } });
      return { ...answer, images: answer.images.filter((image) => image.status !== "gone") };
    } catch (error) {
      if (error.code !== "not_found") throw error;
      return { images: [], keywords: [] };
    }
  }

  function show({ images, keywords: joined }) {
    count.textContent = { 0: say("no_photos"), 1: say("photos_of_one") }[images.length] ?? say("photos_of", number(images.length));
    photos.replaceChildren(...images.map(photoCard));
    showListing(images.find((image) => image.listing.title)?.listing ?? images[0]?.listing ?? {});
    keywords.replaceChildren(...(images.length ? [el("h2", {}, say("all_keywords")), chips(joined)] : []));
  }

  // The shop's own listing, from the first photo that has one.
  function showListing({ title: name, brand, price, url }) {
    title.textContent = name || product;
    const parts = [name && product, brand, price, url && el("a", { href: url, rel: "noopener noreferrer", target: "_blank" }, say("in_the_shop"))].filter(Boolean);
    listing.replaceChildren(...parts.flatMap((part, index) => (index ? [" · ", part] : [part])));
  }

  function photoCard(image) {
    const below = {
      tagged: () => el("span", { class: "chips" }, image.keywords.slice(0, 3).map((keyword) => el("span", { class: keyword.source === "human" ? "chip human" : "chip" }, keyword.keyword))),
      rejected: () => el("span", {}, say(`reason_${image.reason}`)),
    }[image.status] ?? (() => el("span", {}, say(`is_${image.status}`)));
    return el("li", { class: "card" },
      el("a", { href: addressOf(image.image) }, framed(image.image), el("span", { class: "name" }, nameOf(image.image)), below()),
      mayDecide() && isUpload(image.image) ? ownActs(image) : null);
  }

  function ownActs(image) {
    const id = `replace-${image.image}`;
    const field = el("input", { type: "file", id, accept: "image/*", class: "hidden", "aria-label": say("replace_it", nameOf(image.image)), onchange: () => { const [file] = field.files; field.value = ""; if (file) void change(say("uploading"), () => replace(image, file)); } });
    const remove = el("button", { type: "button", class: "small", "aria-label": say("remove", nameOf(image.image)), onclick: () => {
      if (remove.classList.contains("bad")) { void change(say("removing"), () => drop(image)); return; }
      remove.classList.add("bad"); // a removed photo is lost, so removing takes a second click
      remove.removeAttribute("aria-label");
      remove.textContent = say("really_remove");
    } }, say("remove_it"));
    return el("div", { class: "own" }, field, el("label", { class: "button small", for: id }, say("replace")), remove);
  }

  async function add(files) {
    const images = [];
    for (const file of files) {
      const ticket = await ask("POST", "uploads", { json: { ...announced(file), product } });
      await sendPhoto(file, ticket, showShare);
      images.push(ticket.image);
    }
    return (answer) => images.every((image) => answer.images.some((known) => known.image === image));
  }

  async function replace(image, file) {
    await sendPhoto(file, await ask("PUT", pathOf(image.image), { json: announced(file) }), showShare);
    return (answer) => answer.images.some((known) => known.image === image.image && known.object_time !== image.object_time);
  }

  async function drop(image) {
    await ask("DELETE", pathOf(image.image));
    return (answer) => !answer.images.some((known) => known.image === image.image);
  }

  function showShare(share) { count.textContent = `${say("uploading")} ${percent(share)}`; }

  // Makes the change, and shows the product once its records have it.
  async function change(text, act) {
    if (busy) return;
    busy = true;
    count.textContent = text;
    wrong.replaceChildren();
    try {
      const isDone = await act();
      forget(); // a kept search would show the product as it was before
      count.textContent = say("looking");
      const answer = await readUntil(isDone);
      if (gone) return;
      show(answer);
      announce(count.textContent);
    } catch (error) {
      if (gone) return;
      await load();
      wrong.replaceChildren(failure(error, null));
    } finally {
      busy = false;
    }
  }

  async function readUntil(isDone) {
    for (const until = Date.now() + LONGEST_MS; !gone && Date.now() < until;) {
      const answer = await read();
      if (isDone(answer)) return answer;
      await new Promise((resolve) => { setTimeout(resolve, EVERY_MS); });
    }
    throw new Error(say("late"));
  }

  // Copies of this product's photos on other products.
  async function loadSame(images) {
    try {
      const tagged = images.filter((image) => image.status === "tagged").slice(0, COMPARED);
      const results = (await Promise.all(tagged.map((image) => samePhotos(image.image)))).flat().filter((result) => result.product !== product);
      if (!gone) same.replaceChildren(...section("same_photo", [...new Map(results.map((result) => [result.image, result])).values()]));
    } catch (error) {
      if (!gone && error.code !== "no_export") same.replaceChildren(failure(error, () => loadSame(images)));
    }
  }

  async function loadAlike() {
    let results = [];
    try {
      ({ results } = await ask("GET", `products/${pathOfProduct(product)}/similar`, { query: { language: language(), limit: SIMILAR } }));
    } catch (error) {
      if (!gone && !["not_found", "no_export"].includes(error.code)) alike.replaceChildren(failure(error, loadAlike));
      return; // the product or the catalogue is not known yet
    }
    if (!gone) alike.replaceChildren(...section("similar", results));
  }
}

function section(title, results) {
  return results.length ? [el("h2", {}, say(title)), el("ul", { class: "grid small alike" }, results.map(similarCard))] : [];
}

function similarCard(result) {
  return el("li", { class: "card" }, el("a", { href: productAddress(result.product) },
    framed(result.image), el("span", { class: "name" }, titleOf(result))));
}

function chips(keywords) {
  if (!keywords.length) return el("p", { class: "hint" }, say("no_keywords"));
  return el("ul", { class: "chips" }, keywords.map((keyword) => el("li", {}, el("a", { class: keyword.source === "human" ? "chip human" : "chip", href: `#/search?q=${encodeURIComponent(`"${keyword.keyword}"`)}` }, keyword.keyword, el("small", {}, ` ${percent(keyword.score)}`)))));
}

function announced({ name, size, type }) {
  return { name, size, type: type || "application/octet-stream" };
}

// Photos uploaded by this page: others are the shop's own, to be changed at their source.
function isUpload(image) {
  return /^s3:\/\/[^/]+\/uploads\//.test(image);
}
