// The page: who is signed in, which view is shown, and how live it is.

import { resume, session, signOut } from "./api.js";
import { AuditView } from "./audit.js";
import { tell } from "./dialog.js";
import { button, fill, h, say, set } from "./dom.js";
import { GlanceView } from "./glance.js";
import { Live } from "./live.js";
import { ModelView } from "./model.js";
import { hold, who } from "./roles.js";
import { signInView } from "./signin.js";

const STATES = {
  connecting: ["idle", "Connecting"],
  live: ["ok", "Live"],
  polling: ["warn", "Every 5 s"],
  reconnecting: ["warn", "Reconnecting"],
  away: ["page", "Watch away"],
};

const main = document.getElementById("main");
const header = document.getElementById("top");
const live = new Live();
let view = null;
let isSignedIn = false;
let expiry = 0;

function show(next) {
  view?.close();
  view = next;
  fill(main, next.node);
}

function viewOf([, kind, name]) {
  if (kind === "models" && name) return new ModelView(live, decoded(name));
  if (kind === "audit") return new AuditView();
  return new GlanceView(live);
}

/** Return which segment of which stream a hash leads to, if any. */
function placeWithin([, kind, name, what, variant, version, driver]) {
  if (kind !== "models" || !name || what !== "segment" || !driver) return null;
  return { stream: `${decoded(variant)} ${decoded(version)}`, driver: decoded(driver) };
}

function decoded(name) {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

/** Show what the hash names; return whether it leads to a place within a page. */
function go() {
  if (!isSignedIn) return false;
  const parts = location.hash.replace(/^#/, "").split("/");
  const place = placeWithin(parts);
  if (!(place && view instanceof ModelView && view.title === decoded(parts[2]))) show(viewOf(parts));
  if (place) view.lead(place);
  if (live.overview) view.update(live.overview);
  document.title = view.title ? `${view.title} · Weir` : "Weir";
  for (const link of header.querySelectorAll("nav a")) {
    set(link, { "aria-current": (link.getAttribute("href") === (location.hash || "#/")) ? "page" : null });
  }
  return Boolean(place);
}

const stateDot = h("span", { class: "dot idle", "aria-hidden": "true" });
const stateWord = h("span", {});

function showHeader() {
  const nav = h("nav", { "aria-label": "Views" }, h("a", { href: "#/" }, "Models"), h("a", { href: "#/audit" }, "Audit"));
  fill(header, h("a", { class: "brand", href: "#/", "aria-label": "Weir, all models" }, h("span", { class: "mark", "aria-hidden": "true" }), "Weir"),
    nav, h("span", { class: "live", id: "live" }, stateDot, stateWord), h("span", { class: "muted", id: "who" }, who()), button("Sign out", leave, { class: "quiet" }));
}

function showState() {
  const [kind, word] = STATES[live.state] || STATES.connecting;
  set(stateDot, { class: `dot ${kind}` });
  say(stateWord, live.overview && !live.overview.store_is_up && live.state === "live" ? "Store away" : word);
}

function enter(found) {
  isSignedIn = true;
  hold(found);
  clearTimeout(expiry);
  expiry = setTimeout(() => ended("The session has expired. Sign in again."), Math.max(0, found.expiresAt * 1000 - Date.now()));
  showHeader();
  showState();
  live.open();
  go();
}

function ended(note) {
  if (!isSignedIn) return;
  isSignedIn = false;
  clearTimeout(expiry);
  live.close();
  for (const dialog of document.querySelectorAll("dialog")) dialog.remove();
  fill(header);
  show(signInView(note, enter));
  document.title = "Weir";
}

async function leave() {
  try {
    await signOut();
    ended("");
  } catch (problem) {
    if (problem.status === 401) ended("");
    else tell(problem.message);
  }
}

live.addEventListener("overview", () => {
  showState();
  view?.update(live.overview);
});
live.addEventListener("state", showState);
session.addEventListener("ended", () => ended("The session has ended. Sign in again."));
window.addEventListener("hashchange", () => {
  if (go()) return;
  window.scrollTo(0, 0);
  main.focus({ preventScroll: true });
});

try {
  const found = await resume();
  if (found) enter(found);
  else show(signInView("", enter));
} catch (problem) {
  show(signInView(problem.message, enter));
}
