// The views visited, so that going back finds a search as it was left.

const visited = [];
let kept = null;

// Records the new address, and returns whether that was a step back.
export function visit(hash) {
  const isBack = visited.length > 1 && visited[visited.length - 2] === hash;
  if (isBack) visited.pop();
  else if (visited[visited.length - 1] !== hash) visited.push(hash);
  return isBack;
}

// Whether another view was visited before the current one.
export function cameFromHere() { return visited.length > 1; }

// The results of the last search in order, each by photo and product, so that one leads to the next.
let trail = [];

export function setTrail(addresses) { trail = addresses; }

// An address's index in the last results, and the same kind of address before and after it; null if absent.
export function placeInTrail(hash) {
  const kind = trail.some(({ photo }) => photo === hash) ? "photo" : "product";
  const all = [...new Set(trail.map((result) => result[kind]))];
  const index = all.indexOf(hash);
  return index < 0 ? null : { index, count: all.length, previous: all[index - 1], next: all[index + 1] };
}

// Replaces the current view by a neighbour, so that going back still leads to the search.
export function replaceVisit(hash) {
  visited.pop();
  location.replace(hash);
}

// Keeps a view as it is, with its scroll position. Only the last one is kept.
export function keep(view) {
  forget();
  kept = view;
}

// Returns the view kept for this address, or null, and stops keeping it.
export function take(hash) {
  if (!kept || kept.hash !== hash) return null;
  const view = kept;
  kept = null;
  return view;
}

// Drops the kept view.
export function forget() {
  kept?.leave();
  kept = null;
}
