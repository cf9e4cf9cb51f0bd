// A proposal: something to choose, what the gateway says would come of it, and only then the change itself.

import { confirm } from "./dialog.js";
import { fill, h } from "./dom.js";

let count = 0;

/**
 * Let somebody choose, and show what the choice would come to and what stands in its way before anything is changed.
 * `options` are {value, name}; `foresee(value, isWaived)` asks for a dry run and returns {words, violations, isWaivable}:
 * what would happen, as nodes; what stands in the way; and whether some of that is only there for want of the `waiver`,
 * which says what one takes upon oneself. `act(value, reason, isWaived, key)` does it.
 * Returns the value that was carried out, or null.
 */
export async function propose({ title, label, options, chosen, verb, foresee, act, waiver = "" }) {
  const id = `proposal-${(count += 1)}`;
  const choice = h("select", { id, "aria-describedby": `${id}-preview` }, options.map((each) => h("option", { value: each.value }, each.name)));
  if (chosen) choice.value = chosen;
  const waived = h("input", { id: `${id}-waiver`, type: "checkbox" });
  const responsibility = h("p", { class: "waiver", hidden: true }, waived, h("label", { for: `${id}-waiver` }, waiver));
  const preview = h("div", { class: "preview", id: `${id}-preview`, role: "status" });
  let turn = 0;

  const look = async (allow) => {
    const mine = (turn += 1);
    allow(false);
    fill(preview, h("p", { class: "muted" }, "Asking the gateway what would happen…"));
    let seen;
    try {
      seen = await foresee(choice.value, waived.checked);
    } catch (problem) {
      seen = { words: [], violations: [problem.message] };
    }
    if (mine !== turn) return;
    const { words, violations } = seen;
    responsibility.hidden = !(seen.isWaivable || waived.checked);
    fill(preview, violations.length > 0 && obstacles(violations), words);
    allow(violations.length === 0);
  };

  const isDone = await confirm({
    title,
    facts: h("div", {}, h("p", { class: "choice" }, h("label", { for: id }, label), choice), preview, responsibility),
    verb,
    needsReason: true,
    act: (reason, key) => act(choice.value, reason, waived.checked, `${key}.${choice.value}`),
    begin: (allow) => {
      choice.addEventListener("change", () => {
        waived.checked = false; // it was for what was chosen before
        look(allow);
      });
      waived.addEventListener("change", () => look(allow));
      look(allow);
      return choice;
    },
  });
  turn += 1;
  return isDone ? choice.value : null;
}

function obstacles(violations) {
  return h("div", { class: "obstacles" }, h("h3", {}, "What stands in the way"), h("ul", { class: "hindrances" }, violations.map((each) => h("li", {}, each))));
}
