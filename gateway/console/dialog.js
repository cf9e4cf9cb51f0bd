// The step between wanting something and doing it: what will happen, why, and what the gateway says to it.

import { freshKey } from "./api.js";
import { button, fill, h } from "./dom.js";

const SLOW_MS = 2000;
let count = 0;

/**
 * Ask for a reason and do it; closes when it is done, and shows what was refused where it was asked.
 * `act(reason, key)` returns a promise, and may be called again after a failure: the key says that it is the same
 * decision. `facts` says what will happen. `begin(allow)` is called
 * once, with a function that allows the act or does not for now, and returns what gets the focus first, if not the reason.
 * Returns whether it was done.
 */
export function confirm({ title, facts, verb, act, danger = false, needsReason = false, refused = () => null, begin = () => null }) {
  const id = `dialog-${(count += 1)}`;
  const before = document.activeElement;
  return new Promise((settle) => {
    const reason = h("input", { id: `${id}-reason`, type: "text", maxlength: 500, autocomplete: "off", required: needsReason });
    const said = h("div", { class: "refusal", role: "alert" });
    const go = h("button", { type: "submit", class: danger ? "danger" : "primary" }, verb);
    const form = h("form", { method: "dialog", novalidate: true }, h("h2", { id: `${id}-title` }, title),
      h("div", { class: "facts" }, facts),
      h("label", { for: `${id}-reason` }, needsReason ? "Reason" : "Reason (optional)"), reason, said,
      h("div", { class: "actions" }, button("Cancel", () => close(false)), go));
    const dialog = h("dialog", { "aria-labelledby": `${id}-title`, id }, form);
    const key = freshKey();
    let [isAllowed, isAsked] = [true, false];
    const see = () => {
      go.disabled = !isAllowed || isAsked;
    };
    const allow = (may) => {
      isAllowed = may;
      see();
    };
    const close = (done) => {
      if (!dialog.isConnected) return;
      if (isAsked && !done) tell("The gateway was asked already: what you decided may still happen.");
      dialog.close();
      dialog.remove();
      if (before?.isConnected) before.focus();
      settle(done);
    };
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (!isAllowed || isAsked) return;
      if (needsReason && !reason.value.trim()) {
        fill(said, "Say why: it goes into the audit log.");
        reason.focus();
        return;
      }
      isAsked = true;
      see();
      fill(said);
      const slow = setTimeout(() => fill(said, "The gateway has not answered yet."), SLOW_MS);
      try {
        await act(reason.value.trim(), key);
        close(true);
      } catch (problem) {
        fill(said, refused(problem) || repeated(problem) || problem.message);
      } finally {
        clearTimeout(slow);
        isAsked = false;
        see();
      }
    });
    dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      close(false);
    });
    document.body.append(dialog);
    const first = begin(allow);
    dialog.showModal();
    (first || reason).focus();
  });
}

function repeated(problem) {
  return problem.kind === "idempotency-key-reused" ? "It was done when you asked first, with the reason that you gave then." : null;
}

/** Show a text to read, and nothing to decide. */
export function read(title, text) {
  const before = document.activeElement;
  const dialog = h("dialog", { "aria-label": title, class: "reading" });
  const close = () => {
    dialog.close();
    dialog.remove();
    if (before?.isConnected) before.focus();
  };
  dialog.append(h("h2", {}, title), h("pre", { tabindex: 0 }, text), h("div", { class: "actions" }, button("Close", close)));
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    close();
  });
  document.body.append(dialog);
  dialog.showModal();
}

let fading = 0;

/** Say in passing that something is done. */
export function tell(text) {
  const status = document.getElementById("status");
  fill(status, text);
  clearTimeout(fading);
  fading = setTimeout(() => fill(status), 6000);
}
