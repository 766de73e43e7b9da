// What went wrong, in the person's language where the API has a code for it, and a way to try again.

import { el } from "./dom.js";
import { has, language, say } from "./words.js";

export function explain(error) {
  if (error instanceof TypeError) return say("unreachable"); // fetch says no more where there is no answer
  if (error.reason) return say(`reason_${error.reason}`);
  const column = /column (\d+)/.exec(error.message)?.[1];
  return has(`problem_${error.code}`) ? say(`problem_${error.code}`, column ?? error.message) : say("error", error.message);
}

// The API's own words for a detail, which are English: in another language the sentence beside it must do.
export function detail(text) {
  return language() === "en" ? text : "";
}

export function failure(error, retry) {
  return el("div", { class: "notice bad", role: "alert" }, el("p", {}, explain(error)),
    retry && error.status !== 404 ? el("button", { type: "button", class: "small", onclick: (event) => { event.target.closest(".notice").remove(); retry(); } }, say("again")) : null);
}
