// Errors, in the person's language if the API gives a code, with a way to try again.

import { el } from "./dom.js";
import { has, language, say } from "./words.js";

export function explain(error) {
  if (error instanceof TypeError) return say("unreachable"); // all that fetch reports without an answer
  if (error.reason) return say(`reason_${error.reason}`);
  const column = /column (\d+)/.exec(error.message)?.[1];
  return has(`problem_${error.code}`) ? say(`problem_${error.code}`, column ?? error.message) : say("error", error.message);
}

// The API's own details are in English: other languages show only the sentence beside them.
export function detail(text) {
  return language() === "en" ? text : "";
}

export function failure(error, retry) {
  return el("div", { class: "notice bad", role: "alert" }, el("p", {}, explain(error)),
    retry && error.status !== 404 ? el("button", { type: "button", class: "small", onclick: (event) => { event.target.closest(".notice").remove(); retry(); } }, say("again")) : null);
}
