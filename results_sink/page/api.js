// What is asked of the API, signed in where the deployment asks for it.

const BASE = new URL(".", document.baseURI);
const TOKEN = "catalog-tagger.token";
const VERIFIER = "catalog-tagger.verifier";
let settings = { watch: "", sign_in: "", client: "" };

export class Problem extends Error {
  constructor(status, document) {
    super(document.detail || document.title || `HTTP ${status}`);
    this.status = status;
    this.reason = document.reason || "";
  }
}

export async function start() {
  settings = await (await fetch(new URL("page/settings.json", BASE))).json();
  if (settings.sign_in) await signIn();
}

export function watchAddress() {
  const address = new URL(settings.watch, BASE);
  address.protocol = address.protocol.replace("http", "ws");
  return address;
}

async function signIn() {
  const asked = new URLSearchParams(location.search);
  const verifier = sessionStorage.getItem(VERIFIER);
  if (asked.has("code") && verifier && asked.get("state") === verifier.slice(0, 16)) {
    const body = new URLSearchParams({
      grant_type: "authorization_code",
      client_id: settings.client,
      redirect_uri: BASE.href,
      code: asked.get("code"),
      code_verifier: verifier,
    });
    const answer = await fetch(`${settings.sign_in}/oauth2/token`, { method: "POST", body });
    sessionStorage.removeItem(VERIFIER);
    if (answer.ok) sessionStorage.setItem(TOKEN, (await answer.json()).access_token);
    history.replaceState(null, "", BASE.href + (sessionStorage.getItem("catalog-tagger.where") || ""));
  }
  if (!sessionStorage.getItem(TOKEN)) await goToSignIn();
}

async function goToSignIn() {
  const bytes = crypto.getRandomValues(new Uint8Array(48));
  const verifier = base64url(bytes);
  sessionStorage.setItem(VERIFIER, verifier);
  sessionStorage.setItem("catalog-tagger.where", location.hash);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier)));
  const address = new URL(`${settings.sign_in}/oauth2/authorize`);
  address.search = new URLSearchParams({
    response_type: "code",
    client_id: settings.client,
    redirect_uri: BASE.href,
    scope: "openid",
    state: verifier.slice(0, 16),
    code_challenge: base64url(digest),
    code_challenge_method: "S256",
  });
  location.assign(address);
  await new Promise(() => {}); // the page ends here
}

function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
}

export async function ask(method, path, { query = {}, json, body, type, signal } = {}) {
  const address = new URL(path, BASE);
  for (const [name, value] of Object.entries(query)) if (value !== undefined) address.searchParams.set(name, value);
  const headers = {};
  const token = sessionStorage.getItem(TOKEN);
  if (token) headers.authorization = `Bearer ${token}`;
  if (json !== undefined) headers["content-type"] = "application/json";
  if (type) headers["content-type"] = type;
  const sent = json === undefined ? body : JSON.stringify(json);
  const answer = await fetch(address, { method, headers, body: sent, signal });
  if (answer.status === 401 && settings.sign_in) {
    sessionStorage.removeItem(TOKEN);
    await goToSignIn();
  }
  const document = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Problem(answer.status, document);
  return document;
}

// ---- Photos by their names: addresses are asked for in one go, and kept until shortly before they end ----

const known = new Map();
let wanted = null;

export function photo(name) {
  const kept = known.get(name);
  if (kept && kept.until > Date.now()) return Promise.resolve(kept.address);
  if (!wanted) {
    const batch = { names: new Set() };
    wanted = batch;
    batch.promise = new Promise((resolve) => setTimeout(resolve, 10)).then(async () => {
      wanted = null;
      const names = [...batch.names];
      for (let at = 0; at < names.length; at += 100) {
        const found = await ask("POST", "photos", { json: { images: names.slice(at, at + 100) } });
        const until = Date.now() + (found.seconds - 60) * 1000;
        for (const [each, address] of Object.entries(found.photos)) known.set(each, { address, until });
      }
    });
  }
  wanted.names.add(name);
  return wanted.promise.then(() => known.get(name)?.address || "");
}

export function pathOf(image) {
  const [bucket, ...key] = image.replace("s3://", "").split("/");
  return `images/${encodeURIComponent(bucket)}/${key.map(encodeURIComponent).join("/")}`;
}

// ---- What changes only with a deployment ----

const once = new Map();

export function askOnce(path) {
  if (!once.has(path)) once.set(path, ask("GET", path).catch((error) => { once.delete(path); throw error; }));
  return once.get(path);
}

export async function nameOfClass(version, index) {
  const { models } = await askOnce("models");
  const model = models.find((each) => each.model_version === version);
  return model ? model.classes[index] : `#${index}`;
}
