// What one may start and answer for in a rollout: a new one for a version, and a gate that cannot pass.

import { at, post } from "./api.js";
import { h } from "./dom.js";
import { lasting, percent, rate } from "./format.js";
import { propose } from "./proposal.js";
import { totals } from "./state.js";
import { timeline } from "./timeline.js";

/** Return the versions that a rollout could give the traffic to, the newest first. */
export function candidates(model) {
  return model.versions.filter((each) => each.version !== model.route?.stable).reverse();
}

/** Start a rollout of a version that is chosen in a dialog; return the version, or null. */
export function startRollout(model) {
  const body = (version, reason, override) => ({ model: model.model, version, reason, ...(override ? { override } : {}) });
  return propose({
    title: `Start a rollout of ${model.model}`,
    label: "Version",
    options: candidates(model).map((each) => ({ value: each.version, name: each.version })),
    verb: "Start",
    waiver: "I answer for this version: end its quarantine and the model's cool-down.",
    foresee: async (version, isWaived) => {
      const ask = (override) => post("/rollouts?dry_run=true", body(version, "dry run", override));
      const { rollout, violations } = await ask(isWaived);
      const isWaivable = violations.length > 0 && !isWaived && (await ask(true)).violations.length < violations.length;
      return { words: way(rollout, model), violations, isWaivable };
    },
    act: (version, reason, isWaived, key) => post("/rollouts", body(version, reason, isWaived), { key }),
  });
}

/** Answer for a gate that is chosen in a dialog; return the gate, or null. */
export function overrideGate(rollout, evidence) {
  const verdicts = evidence?.verdicts ?? [];
  const open = gatesOf(rollout).filter((gate) => !rollout.overrides.some((each) => each.gate === gate));
  const stuck = verdicts.find((verdict) => verdict.result !== "pass" && open.includes(verdict.gate));
  return propose({
    title: `Override a gate of the rollout of ${rollout.model}`,
    label: "Gate",
    options: open.map((gate) => ({ value: gate, name: gate === "incident" ? "incident of the stable version" : gate })),
    chosen: stuck?.gate,
    verb: "Override",
    foresee: async (gate) => {
      const { violations } = await post(`${at("rollouts", rollout.model, "override")}?dry_run=true`, { gate, reason: "dry run" });
      return { words: answering(gate, rollout, verdicts.find((verdict) => verdict.gate === gate)), violations };
    },
    act: (gate, reason, isWaived, key) => post(at("rollouts", rollout.model, "override"), { gate, reason }, { key }),
  });
}

/** Return what an operator may answer for in the stage that a rollout is in. */
export function gatesOf(rollout) {
  const { guards } = rollout.plan;
  const outcomes = guards.outcomes?.required && "outcomes";
  const canary = ["errors", guards.latency && "latency", guards.predictions && "predictions", outcomes].filter(Boolean);
  const gates = { canary, shadow: ["shadow"], baking: ["baking", outcomes].filter(Boolean) };
  return [...(gates[rollout.stage] ?? []), "incident"];
}

/** Return which way a rollout would go, and how long that takes at least. */
function way(rollout, model) {
  const { plan } = rollout;
  const requests = totals(model).requests;
  const least = (plan.shadow?.dwell_s ?? 0) + plan.steps.length * plan.dwell_s + plan.bake_s;
  const first = plan.steps[0];
  return [
    h("p", {}, "Version ", h("b", {}, rollout.candidate), ` comes in place of version ${rollout.stable || "–"}, by evidence. `,
      plan.shadow ? `It repeats ${percent(plan.shadow.sample)} of the requests first, and no client sees its answers. ` : "It answers clients from the first step on. ",
      "Then it answers ", h("b", {}, `${percent(first)} of the keys`), `, about ${rate((requests * first) / 100)} requests/s as it is now. `,
      `It is over in ${lasting(least)} at the earliest; evidence against it takes it back at once.`),
    timeline(rollout, null),
    h("p", { class: "muted small" }, "That is the default plan; weir rollout start takes another one.")];
}

function answering(gate, rollout, verdict) {
  const said = verdict ? `It says ${verdict.result} after ${verdict.samples.toLocaleString("en")} samples: ${verdict.why || "nothing more"}.` : "";
  return [
    h("p", {}, gate === "incident" ? "The rollout may go on although the stable version has an alert that pages. " : h("span", {}, "The stage may be left although ", h("b", {}, gate), " has not passed. "), said),
    h("p", {}, `Time and everything else stay in force, and so does evidence against version ${rollout.candidate}: no abort can be overridden. It ends with the stage. The audit record says that you answer for it, and what the gates said.`)];
}
