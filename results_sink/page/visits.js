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
