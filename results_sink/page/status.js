// Status: queues, how photos ended, the last half hour, and what was rejected and why.

import { ask } from "./api.js";
import { el } from "./dom.js";
import { explain } from "./notices.js";
import { framed } from "./pictures.js";
import { addressOf } from "./search.js";
import { nameOf } from "./photo.js";
import { moment, number, say } from "./words.js";

const EVERY_MS = 5_000;
const LARGE_EVERY_MS = 30_000; // of a table too large to be counted as a whole, which takes a second or two each time

export function statusView(box) {
  const tiles = el("div", { class: "tiles" });
  const minutes = el("section", {});
  const rejected = el("section", {});
  const message = el("p", { class: "notice bad", role: "alert", hidden: true });
  const part = el("p", { class: "notice", hidden: true }, say("part"));
  let every = EVERY_MS;
  let reason = "";
  let seen = "";
  let timer = 0;
  let gone = false;
  box.append(el("h1", {}, say("status_title")), message, part, tiles, minutes, rejected);
  void load();
  return () => { gone = true; clearTimeout(timer); };

  async function load() {
    try {
      if (!document.hidden) show(await ask("GET", "status"));
      message.hidden = true;
    } catch (error) {
      const told = explain(error);
      if (message.hidden || message.textContent !== told) message.textContent = told; // else it would be spoken each time
      message.hidden = false;
    }
    if (!gone) timer = setTimeout(load, every);
  }

  function show(found) {
    every = found.complete ? EVERY_MS : LARGE_EVERY_MS;
    part.hidden = found.complete;
    const rejections = Object.values(found.rejected).reduce((sum, each) => sum + each, 0);
    tiles.replaceChildren(
      tile(least(found.tagged, found.complete), say("tagged"), found.without_keyword ? el("a", { href: "#/review" }, say("of_them_without", number(found.without_keyword))) : "", "good", el("a", { href: "#/search?by=image" }, say("show_all"))),
      tile(least(rejections, found.rejected_complete !== false), say("rejected_many"), "", rejections ? "bad" : "", rejections ? el("button", { type: "button", class: "small", onclick: () => rejected.querySelector("h2").focus() }, say("show_all")) : null),
      tile(least(found.gone, found.complete), say("gone")),
      ...found.queues.map((queue) => el("div", { class: `tile ${queue.dead_letters ? "bad" : ""}` },
        el("h2", {}, say(queue.name)),
        el("dl", {}, ["waiting", "in_flight", "dead_letters"].map((each) => el("div", {}, el("dt", {}, say(each)), el("dd", {}, number(queue[each]))))))));
    minutes.replaceChildren(...(found.by_minute ? lately(found) : []));
    const now = JSON.stringify([found.rejections, reason]);
    if (now !== seen) { // else whoever is at a button there would lose it
      seen = now;
      rejected.replaceChildren(...refusals(found).filter(Boolean));
    }
  }

  function refusals(found) {
    const counts = Object.entries(found.rejected);
    const reasons = [["", counts.reduce((sum, [, many]) => sum + many, 0)], ...counts];
    const shown = found.rejections.filter((each) => !reason || each.reason === reason);
    return [
      el("h2", { tabindex: "-1" }, say("rejected_title")),
      found.rejections.length ? el("div", { class: "chips", role: "group", "aria-label": say("rejected_title") }, reasons.map(([name, many]) => el("button", {
        type: "button", class: name === reason ? "chip on" : "chip", "aria-pressed": String(name === reason),
        onclick: () => { reason = name; seen = ""; show(found); rejected.querySelector('[aria-pressed="true"]').focus(); },
      }, name ? say(`reason_${name}`) : say("all"), el("span", { class: "many" }, number(many))))) : el("p", { class: "hint" }, say("no_rejected")),
      el("ul", { class: "grid small" }, shown.map(refusal)),
      reason ? el("p", {}, el("a", { class: "button", href: `#/search?by=image&reason=${reason}` }, say("show_all"))) : null,
    ];
  }
}

// What was not counted to its end is at least so many.
function least(many, isAll) { return `${number(many)}${isAll ? "" : "+"}`; }

function tile(value, name, below = "", kind = "", leads = null) {
  return el("div", { class: `tile ${kind}` }, el("strong", {}, value), el("span", {}, name), below ? el("small", {}, below) : null, leads);
}

function lately(found) {
  const peak = Math.max(...found.by_minute, 1);
  const sum = found.by_minute.reduce((total, each) => total + each, 0);
  const told = say("peak", number(sum ? peak : 0), number(sum));
  return [
    el("h2", {}, say("last_half_hour")),
    el("div", { class: "minutes", role: "img", "aria-label": told }, found.by_minute.map((each) => {
      const column = el("span", { title: String(each), class: each ? "" : "none" });
      column.style.setProperty("--share", String(each / peak));
      return column;
    })),
    el("p", { class: "hint" }, told),
  ];
}

function refusal(each) {
  return el("li", { class: "card" }, el("a", { href: addressOf(each.image) }, framed(each.image),
    el("span", { class: "name" }, nameOf(each.image)), el("span", {}, say(`reason_${each.reason}`)), el("small", { class: "hint" }, each.detail, " · ", moment(each.observed_at))));
}
