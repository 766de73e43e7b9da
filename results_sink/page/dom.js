// Builds the DOM. Every text goes in as text: no outside text is ever parsed as markup.

import { locale } from "./words.js";

export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") made.className = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "disabled" || name === "selected") made[name] = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat(2).filter((child) => child !== undefined && child !== null && child !== false));
  return made;
}

const SHAPES = {
  tag: "M3 4.5A1.5 1.5 0 0 1 4.5 3h6.2c.4 0 .78.16 1.06.44l8.3 8.3a1.5 1.5 0 0 1 0 2.12l-6.2 6.2a1.5 1.5 0 0 1-2.12 0l-8.3-8.3A1.5 1.5 0 0 1 3 10.7zM7.5 9a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3",
  search: "M10.5 4a6.5 6.5 0 1 0 4 11.6l4.4 4.4 1.1-1.1-4.4-4.4A6.5 6.5 0 0 0 10.5 4m0 1.6a4.9 4.9 0 1 1 0 9.8 4.9 4.9 0 0 1 0-9.8",
  upload: "M12 3.5 6.8 8.7l1.1 1.1 3.3-3.3V16h1.6V6.500l3.3 3.300 1.100-1.100zM4.500 15v3A2.500 2.500 0 0 0 7 20.500h10a2.500 2.500 0 0 0 2.500-2.500v-3h-1.600v3a.900.900 0 0 1-.900.900H7a.900.900 0 0 1-.900-.900v-3z",
  pin: "M9 3h6v1.600l-.800.400v5l2.800 3v1.600h-4.200V20L12 21.500 11.200 20v-5.400H7V13l2.800-3V5L9 4.600z",
  ban: "M12 3.500a8.500 8.500 0 1 0 0 17 8.500 8.500 0 0 0 0-17m0 1.600c1.600 0 3 .5 4.200 1.400L6.500 16.200A6.900 6.900 0 0 1 12 5.100m5.500 2.700a6.900 6.900 0 0 1-9.700 9.700z",
  check: "m9.500 16.900-4.400-4.400 1.100-1.100 3.300 3.300 8.300-8.300 1.100 1.100z",
  cross: "m12 10.900 5.300-5.300 1.100 1.100L13.100 12l5.300 5.300-1.100 1.100L12 13.100l-5.300 5.300-1.100-1.100 5.300-5.300-5.300-5.300 1.100-1.100z",
  back: "m9.700 6.200 1.100 1.100L6.900 11.200H20v1.600H6.900l3.900 3.900-1.100 1.100L3.900 12z",
  photo: "M5 5h14a1.500 1.500 0 0 1 1.500 1.500v11A1.500 1.500 0 0 1 19 19H5a1.500 1.500 0 0 1-1.500-1.500v-11A1.500 1.500 0 0 1 5 5m.100 1.600v8.700l4-4 3.300 3.300 2.300-2.300 4.200 4.200V6.600zm10.400 1.700a1.500 1.500 0 1 1 0 3 1.500 1.500 0 0 1 0-3",
  light: "M12 7.500a4.500 4.500 0 1 0 0 9 4.500 4.500 0 0 0 0-9M11.200 2.500h1.600v3h-1.600zm0 16h1.600v3h-1.600zM2.500 11.200h3v1.600h-3zm16 0h3v1.600h-3zM5.300 4.200l2.100 2.100-1.100 1.100-2.100-2.100zm12.400 12.400 2.100 2.100-1.100 1.100-2.100-2.100zM4.200 18.700l2.100-2.100 1.100 1.100-2.100 2.100zM16.600 6.300l2.100-2.100 1.100 1.100-2.100 2.100z",
};

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", "icon");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", SHAPES[name]);
  svg.append(path);
  return svg;
}

export function bar(share, title) {
  const filled = el("span", { class: "bar-filled" });
  filled.style.setProperty("--share", String(Math.max(0, Math.min(1, share))));
  return el("span", { class: "bar", role: "img", "aria-label": title }, filled);
}

export function percent(share) {
  const written = (value) => new Intl.NumberFormat(locale(), { style: "percent", maximumFractionDigits: value < 0.1 ? 1 : 0 }).format(value);
  return share > 0 && share < 0.0005 ? `< ${written(0.001)}` : written(share);
}

let news = [];

// Announcements of one frame are joined: a screen reader would read only the last of several.
export function announce(text) {
  news.push(text);
  if (news.length > 1) return;
  const place = document.getElementById("news");
  place.textContent = "";
  requestAnimationFrame(() => {
    place.textContent = news.join("; ");
    news = [];
  });
}
