// Signs a person in at the deployment's issuer, by an authorization code with PKCE (RFC 7636).

import { say } from "./words.js";

const TOKENS = "catalog-tagger.tokens"; // as long as this tab lives
const BEGUN = "catalog-tagger.sign-in"; // the state to check the issuer's answer against
const FRESH_MS = 10_000; // if a token this new is refused, the next one would be too
let issuer = null;
let readOnly = false;
let page = null;
let renewal = null;
let leaving = null;

export async function signIn(settings, base) {
  readOnly = Boolean(settings.read_only);
  if (!settings.sign_in) return;
  issuer = { address: settings.sign_in, client: settings.client, scope: settings.scope, decides: settings.decide_scope };
  page = base.href;
  const parameters = new URLSearchParams(location.search);
  const begun = JSON.parse(sessionStorage.getItem(BEGUN));
  sessionStorage.removeItem(BEGUN);
  if (parameters.has("state")) history.replaceState(null, "", page + (begun?.where ?? location.hash));
  if (begun && parameters.get("state") === begun.state) {
    if (parameters.has("error")) throw new Error(say("sign_in_failed", parameters.get("error_description") || parameters.get("error")));
    const grant = { grant_type: "authorization_code", code: parameters.get("code"), redirect_uri: page, code_verifier: begun.verifier };
    if (!(await exchange(grant))) throw new Error(say("sign_in_failed", say("refused")));
  }
  if (!tokens()) await leaveForIssuer();
}

export function isSignedIn() { return issuer !== null && tokens() !== null; }

export function token() { return issuer && tokens()?.access; }

// Whether the page is that of an export, which can be searched and not changed: the page offers
// nothing that would only be refused (DECISIONS.md, 156).
export function isReadOnly() { return readOnly; }

// Whether this person may pin and suppress: the page offers it only then.
export function mayDecide() {
  if (readOnly) return false;
  if (!issuer?.decides) return true;
  const claims = claimsOf(tokens()?.access || "");
  return [claims.scope, claims.scp].flat().some((scopes) => String(scopes ?? "").split(" ").includes(issuer.decides));
}

// After a token was refused: true if there is a newer one. If only the person can help, the page goes to the sign-in.
// A new token that is refused at once has not expired, and stays refused.
export async function renew(refused) {
  if (!issuer) return false;
  const known = tokens();
  if (!known) await leaveForIssuer();
  if (known.access !== refused) return true;
  if (Date.now() - known.since < FRESH_MS) return false;
  renewal ??= (known.refresh ? exchange({ grant_type: "refresh_token", refresh_token: known.refresh }, known.refresh) : Promise.resolve(false))
    .finally(() => { renewal = null; });
  if (await renewal) return true;
  await leaveForIssuer();
}

// A page cached by the browser is not shown again after a sign-out.
addEventListener("pageshow", ({ persisted }) => {
  if (!persisted || !issuer || tokens()) return;
  leaving = null;
  void leaveForIssuer();
});

// Once, however many requests find nobody signed in: a second redirect would invalidate the first one's answer.
function leaveForIssuer() {
  return (leaving ??= askIssuer());
}

async function askIssuer() {
  const begun = { verifier: random(), state: random(), where: location.hash };
  sessionStorage.removeItem(TOKENS);
  sessionStorage.setItem(BEGUN, JSON.stringify(begun));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(begun.verifier));
  await leaveFor("/oauth2/authorize", {
    response_type: "code",
    client_id: issuer.client,
    redirect_uri: page,
    scope: issuer.scope,
    state: begun.state,
    code_challenge: base64url(new Uint8Array(digest)),
    code_challenge_method: "S256",
  });
}

export async function signOut() {
  sessionStorage.removeItem(TOKENS);
  await leaveFor("/logout", { client_id: issuer.client, logout_uri: page });
}

async function leaveFor(path, query) {
  location.assign(`${issuer.address}${path}?${new URLSearchParams(query)}`);
  await new Promise(() => {}); // the page ends here
}

async function exchange(grant, refresh) {
  const body = new URLSearchParams({ ...grant, client_id: issuer.client });
  const answer = await fetch(`${issuer.address}/oauth2/token`, { method: "POST", body });
  if (!answer.ok) return false;
  const given = await answer.json();
  sessionStorage.setItem(TOKENS, JSON.stringify({ access: given.access_token, refresh: given.refresh_token || refresh, since: Date.now() }));
  return true;
}

function tokens() { return JSON.parse(sessionStorage.getItem(TOKENS)); }

function claimsOf(jwt) {
  try {
    return JSON.parse(atob(jwt.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")));
  } catch {
    return {}; // not validated here: the API does that
  }
}

function random() { return base64url(crypto.getRandomValues(new Uint8Array(32))); }

function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
}
