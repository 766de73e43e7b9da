// Shows photos: an icon until the picture loads, and if there is none.

import { thumbnail } from "./api.js";
import { el, icon } from "./dom.js";

export const [GRID, PHOTO] = [320, 640]; // pixels of the longer side

export function framed(image, { kind = "frame", alt = "", size = GRID } = {}) {
  const frame = el("span", { class: kind }, icon("photo"));
  void thumbnail(image, size).then((small) => frame.append(pictureOf(small, alt))).catch(() => {});
  return frame;
}

export function pictureOf(small, alt) {
  const address = URL.createObjectURL(small);
  const picture = el("img", { src: address, alt, decoding: "async" });
  picture.addEventListener("load", () => URL.revokeObjectURL(address));
  picture.addEventListener("error", () => picture.remove());
  return picture;
}
