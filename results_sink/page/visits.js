// Which views of this page were visited, so that going back finds a search as it was left.

const visited = [];
let kept = null;

// Notes that the address changed to this one, and returns whether that was a step back.
export function visit(hash) {
  const isBack = visited.length > 1 && visited[visited.length - 2] === hash;
  if (isBack) visited.pop();
  else if (visited[visited.length - 1] !== hash) visited.push(hash);
  return isBack;
}

// Whether a view of this page was visited before the one that is shown.
export function cameFromHere() { return visited.length > 1; }

// The results of the last search, in their order, so that one leads to the next: each by its photo and its product.
let trail = [];

export function setTrail(addresses) { trail = addresses; }

// Where an address stands among the last results, and the same kind of address before and behind it; null elsewhere.
export function placeInTrail(hash) {
  const kind = trail.some(({ photo }) => photo === hash) ? "photo" : "product";
  const all = [...new Set(trail.map((result) => result[kind]))];
  const index = all.indexOf(hash);
  return index < 0 ? null : { index, count: all.length, previous: all[index - 1], next: all[index + 1] };
}

// Goes to a neighbour in the place of what is shown, so that going back still leads to the search.
export function replaceVisit(hash) {
  visited.pop();
  location.replace(hash);
}

// Keeps a view as it is, with its place on the page. Only the last one is kept.
export function keep(view) {
  forget();
  kept = view;
}

// Returns the view that was kept for this address, or null; it is no longer kept then.
export function take(hash) {
  if (!kept || kept.hash !== hash) return null;
  const view = kept;
  kept = null;
  return view;
}

// Lets go of the view that is kept.
export function forget() {
  kept?.leave();
  kept = null;
}
