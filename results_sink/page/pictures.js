// Photos as they are shown: an icon until the picture is there, and where there is none.

import { photo } from "./api.js";
import { el, icon } from "./dom.js";

export function framed(image, { kind = "frame", alt = "" } = {}) {
  const frame = el("span", { class: kind }, icon("photo"));
  void photo(image).then((address) => {
    if (!address) return;
    const picture = el("img", { src: address, alt, loading: "lazy", decoding: "async" });
    picture.addEventListener("error", () => picture.remove());
    frame.append(picture);
  }).catch(() => {});
  return frame;
}
