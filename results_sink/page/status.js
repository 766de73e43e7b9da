// Status: queues, outcomes, the last half hour, and which photos were rejected and why.

import { ask } from "./api.js";
import { el } from "./dom.js";
import { detail, explain } from "./notices.js";
import { framed } from "./pictures.js";
import { addressOf } from "./search.js";
import { nameOf } from "./photo.js";
import { moment, number, say } from "./words.js";

const EVERY_MS = 5_000;
const LARGE_EVERY_MS = 30_000; // for a table too large to count as a whole: each count takes a second or two

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
      const text = explain(error);
      if (message.hidden || message.textContent !== text) message.textContent = text; // else a screen reader would repeat it each time
      message.hidden = false;
    }
    if (!gone) timer = setTimeout(load, every);
  }

  function show(status) {
    every = status.complete ? EVERY_MS : LARGE_EVERY_MS;
    part.hidden = status.complete;
    const rejections = Object.values(status.rejected).reduce((sum, count) => sum + count, 0);
    tiles.replaceChildren(
      tile(least(status.tagged, status.complete), say("tagged"), status.without_keyword ? el("a", { href: "#/review" }, say("of_them_without", number(status.without_keyword))) : "", "good", el("a", { href: "#/search?by=image" }, say("show_all"))),
      tile(least(rejections, status.rejected_complete !== false), say("rejected_many"), "", rejections ? "bad" : "", rejections ? el("button", { type: "button", class: "small", onclick: () => rejected.querySelector("h2").focus() }, say("show_all")) : null),
      tile(least(status.gone, status.complete), say("gone")),
      ...status.queues.map((queue) => el("div", { class: `tile ${queue.dead_letters ? "bad" : ""}` },
        el("h2", {}, say(queue.name)),
        el("dl", {}, ["waiting", "in_flight", "dead_letters"].map((name) => el("div", {}, el("dt", {}, say(name)), el("dd", {}, number(queue[name]))))))));
    minutes.replaceChildren(...(status.by_minute ? lately(status) : []));
    const now = JSON.stringify([status.rejections, reason]);
    if (now !== seen) { // else a focused button there would lose the focus
      seen = now;
      rejected.replaceChildren(...refusals(status).filter(Boolean));
    }
  }

  function refusals(status) {
    const counts = Object.entries(status.rejected);
    const reasons = [["", counts.reduce((sum, [, many]) => sum + many, 0)], ...counts];
    const shown = status.rejections.filter((rejection) => !reason || rejection.reason === reason);
    return [
      el("h2", { tabindex: "-1" }, say("rejected_title")),
      status.rejections.length ? el("div", { class: "chips", role: "group", "aria-label": say("rejected_title") }, reasons.map(([name, many]) => el("button", {
        type: "button", class: name === reason ? "chip on" : "chip", "aria-pressed": String(name === reason),
        onclick: () => { reason = name; seen = ""; show(status); rejected.querySelector('[aria-pressed="true"]').focus(); },
      }, name ? say(`reason_${name}`) : say("all"), el("span", { class: "many" }, number(many))))) : el("p", { class: "hint" }, say("no_rejected")),
      el("ul", { class: "grid small" }, shown.map(refusal)),
      reason ? el("p", {}, el("a", { class: "button", href: `#/search?by=image&reason=${reason}` }, say("show_all"))) : null,
    ];
  }
}

// An incomplete count is a lower bound.
function least(many, isAll) { return `${number(many)}${isAll ? "" : "+"}`; }

function tile(value, name, below = "", kind = "", leads = null) {
  return el("div", { class: `tile ${kind}` }, el("strong", {}, value), el("span", {}, name), below ? el("small", {}, below) : null, leads);
}

function lately(status) {
  const peak = Math.max(...status.by_minute, 1);
  const sum = status.by_minute.reduce((total, count) => total + count, 0);
  const summary = say("peak", number(sum ? peak : 0), number(sum));
  return [
    el("h2", {}, say("last_half_hour")),
    el("div", { class: "chart", role: "img", "aria-label": summary }, el("div", { class: "scale" }, [peak, 0].map((value) => el("span", {}, number(value)))), el("div", { class: "minutes" }, status.by_minute.map((count) => {
      const column = el("span", { title: String(count), class: count ? "" : "none" });
      column.style.setProperty("--share", String(count / peak));
      return column;
    })), el("div", { class: "axis" }, [30, 20, 10].map((ago) => el("span", {}, say("minutes_ago", ago))), el("span", {}, say("until_now")))),
    el("p", { class: "hint" }, summary),
  ];
}

function refusal(rejection) {
  return el("li", { class: "card" }, el("a", { href: addressOf(rejection.image) }, framed(rejection.image),
    el("span", { class: "name" }, nameOf(rejection.image)), el("span", {}, say(`reason_${rejection.reason}`)), el("small", { class: "hint" }, [detail(rejection.detail), moment(rejection.observed_at)].filter(Boolean).join(" · "))));
}
