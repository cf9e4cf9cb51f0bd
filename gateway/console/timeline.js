// The stages of a rollout's plan: what is over, where it is, what is to come.

import { h } from "./dom.js";
import { lasting, percent } from "./format.js";
import { isActive } from "./state.js";

/** Return a rollout's stages as steps; with `evidence`, how long the present one has lasted. */
export function timeline(rollout, evidence) {
  const { plan } = rollout;
  const stages = [{ name: "validate", is: (r) => r.stage === "validating" }];
  if (plan.shadow) stages.push({ name: "shadow", note: percent(plan.shadow.sample), is: (r) => r.stage === "shadow", least: plan.shadow.dwell_s });
  plan.steps.forEach((step, i) => stages.push({ name: `canary ${percent(step)}`, is: (r) => r.stage === "canary" && r.step === i, least: plan.dwell_s }));
  stages.push({ name: "bake", note: "100 %", is: (r) => r.stage === "baking", least: plan.bake_s }, { name: "completed", is: () => false });
  const here = rollout.state === "completed" ? stages.length - 1 : stages.findIndex((stage) => stage.is(rollout));
  const isBad = ["rolling_back", "rolled_back", "failed"].includes(rollout.state);
  return h("ol", { class: "timeline", "aria-label": "Stages" }, stages.map((stage, i) => {
    const state = i < here ? "done" : i > here ? "next" : isBad ? "bad" : rollout.state === "completed" ? "done" : isActive(rollout) && !["holding", "paused"].includes(rollout.state) ? "here" : "held";
    const spent = i === here && evidence?.is_led_here && stage.least ? `${lasting(evidence.stage_s)} of ${lasting(stage.least)}` : stage.least ? `≥ ${lasting(stage.least)}` : "";
    return h("li", { class: state, "aria-current": i === here ? "step" : null }, h("span", { class: "stage" }, stage.name), h("span", { class: "muted small" }, spent || stage.note || ""));
  }));
}
