// The marketplaces' photo rules, filters of search and review.

import { el } from "./dom.js";
import { say } from "./words.js";

export const RULES = {
  google: ["image_too_small", "image_too_large", "file_too_large", "format_not_accepted", "border", "product_too_small", "blurred"],
  amazon: ["image_too_small", "no_zoom", "image_too_large", "format_not_accepted", "background_not_white", "border", "product_too_small", "blurred"],
};
const NAMES = { google: "Google", amazon: "Amazon" };

export function ruleOptions(chosen) {
  return Object.entries(RULES).map(([set, rules]) => el("optgroup", { label: NAMES[set] },
    el("option", { value: set, selected: set === chosen }, say("any_rule", NAMES[set])),
    rules.map((rule) => el("option", { value: `${set}:${rule}`, selected: `${set}:${rule}` === chosen }, `${NAMES[set]}: ${say(`rule_${rule}`)}`))));
}
