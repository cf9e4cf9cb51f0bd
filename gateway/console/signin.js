// Sign-in: the token goes to the gateway once and is not kept.

import { signIn } from "./api.js";
import { fill, h } from "./dom.js";

/** Return the page that asks for the token; `done(session)` follows. */
export function signInView(note, done) {
  const token = h("input", { id: "token", type: "password", autocomplete: "off", spellcheck: "false", required: true });
  const said = h("div", { class: "refusal", role: "alert" }, note);
  const go = h("button", { type: "submit", class: "primary" }, "Sign in");
  const form = h("form", { class: "signin panel", novalidate: true },
    h("h1", {}, "Weir"), h("p", { class: "muted" }, "Which version answers, and what flows through."),
    h("label", { for: "token" }, "Token"), token, said, go,
    h("p", { class: "hint" }, "An admin makes one with weir token create. The first admin token lies where weir serve says."));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const secret = token.value.trim();
    if (!secret) {
      fill(said, "Enter a token.");
      token.focus();
      return;
    }
    go.disabled = true;
    try {
      const session = await signIn(secret);
      token.value = "";
      done(session);
    } catch (problem) {
      fill(said, problem.status === 429 ? `Too many wrong tokens. Try again in ${problem.retryAfterS} s.` : problem.message);
      token.select();
    } finally {
      go.disabled = false;
    }
  });
  queueMicrotask(() => token.focus());
  return { node: form, update() {}, close() {} };
}
