// The admin API, asked with the session's cookie. What a change must carry besides lives in this module's memory only.

const BASE = "/admin/v1";
const PATIENCE_MS = 40000; // above the half minute that loading a version may take
let csrf = "";

/** Fires `ended` when the server no longer knows the session. */
export const session = new EventTarget();

/** What the server refused, in its own words (RFC 9457). */
export class Problem extends Error {
  constructor(status, document) {
    super(document.detail || document.title || `The gateway answered ${status}.`);
    this.status = status;
    this.kind = String(document.type || "").replace("urn:weir:problem:", "");
    this.retryAfterS = 0;
  }
}

/** Return the path of a thing, each step escaped. */
export function at(...steps) {
  return "/" + steps.map(encodeURIComponent).join("/");
}

async function ask(method, path, { body, headers = {}, quiet = false } = {}) {
  const init = { method, headers: { ...headers }, cache: "no-store", credentials: "same-origin", redirect: "error", signal: AbortSignal.timeout(PATIENCE_MS) };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers["content-type"] = "application/json";
  }
  if (method !== "GET" && csrf) init.headers["x-weir-csrf"] = csrf;
  let answer;
  try {
    answer = await fetch(BASE + path, init);
  } catch {
    throw new Problem(0, { detail: "The gateway does not answer. Nothing was changed as far as this page knows." });
  }
  if (answer.ok) return answer;
  const problem = new Problem(answer.status, await answer.json().catch(() => ({})));
  problem.retryAfterS = Number(answer.headers.get("retry-after") || 0);
  if (answer.status === 401 && !quiet) session.dispatchEvent(new Event("ended"));
  throw problem;
}

/** Read a document. */
export async function get(path) {
  return (await ask("GET", path)).json();
}

/** Read a text. */
export async function text(path) {
  return (await ask("GET", path)).text();
}

/** Ask for an action: under a key once, however often one asks; of a revision, where it is still that one. */
export async function post(path, body, { key, revision } = {}) {
  const headers = {};
  if (key) headers["idempotency-key"] = key;
  if (revision !== undefined) headers["if-match"] = `"${revision}"`;
  return (await ask("POST", path, { body, headers })).json();
}

/** Return a key for one decision. */
export function freshKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Replace the document of that revision. */
export async function put(path, body, revision) {
  return (await ask("PUT", path, { body, headers: { "if-match": `"${revision}"` } })).json();
}

/** Exchange a token for a session; the token is not kept. */
export async function signIn(token) {
  csrf = "";
  return opened(await ask("POST", "/session", { headers: { authorization: `Bearer ${token}` }, quiet: true }));
}

/** Return the session that the browser's cookie stands for, or null. */
export async function resume() {
  try {
    return await opened(await ask("GET", "/session", { quiet: true }));
  } catch (problem) {
    if (problem.status === 401) return null;
    throw problem;
  }
}

/** End the session. */
export async function signOut() {
  await ask("DELETE", "/session", { quiet: true });
  csrf = "";
}

async function opened(answer) {
  const found = await answer.json();
  csrf = found.csrf;
  return { expiresAt: found.expires_at, subject: found.subject, roles: found.roles };
}
