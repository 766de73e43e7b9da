// What went wrong, in the person's language where the API has a code for it, and a way to try again.

import { el } from "./dom.js";
import { has, say } from "./words.js";

export function explain(error) {
  if (error instanceof TypeError) return say("unreachable"); // fetch says no more where there is no answer
  return has(`problem_${error.code}`) ? say(`problem_${error.code}`) : say("error", error.message);
}

export function failure(error, retry) {
  return el("div", { class: "notice bad", role: "alert" }, el("p", {}, explain(error)),
    retry && error.status !== 404 ? el("button", { type: "button", class: "small", onclick: (event) => { event.target.closest(".notice").remove(); retry(); } }, say("again")) : null);
}
