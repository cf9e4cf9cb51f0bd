// The rollout: where it is on its way, what each gate says, and what is still missing.

import { at, get, post } from "./api.js";
import { confirm, tell } from "./dialog.js";
import { button, fill, h, panel, s, say } from "./dom.js";
import { lasting, moment, number, percent, plural, share } from "./format.js";
import { isActive } from "./state.js";

const EVERY_MS = 2000;
const VERBS = {
  pause: { label: "Pause", facts: "It stays where it is. Evidence against the version still takes it back." },
  resume: { label: "Resume", facts: "It goes on with the stage in which it was stopped." },
  promote: { label: "Promote", facts: "It goes to the next stage without waiting for evidence, once. The audit record says so." },
  abort: { label: "Abort", facts: "The candidate's traffic goes back at once, and its digest into quarantine.", danger: true },
};

export class RolloutPanel {
  #name;
  #askedAt = 0;
  #revision = -1;
  #body = h("div", {});
  #head = h("span", { class: "chip" });
  #acts = h("div", { class: "actions" });
  #actsKey = "";

  constructor(name) {
    this.#name = name;
    this.node = panel("Rollout", { id: "rollout", aside: this.#head, wide: true }, this.#body, this.#acts);
    this.node.hidden = true;
  }

  /** Look at a model's rollout; the evidence is asked for while it is under way. */
  async update(model) {
    const { rollout } = model;
    this.node.hidden = !rollout;
    if (!rollout) return;
    const isDue = isActive(rollout) && Date.now() - this.#askedAt > EVERY_MS;
    if (rollout.revision === this.#revision && !isDue) return;
    this.#askedAt = Date.now();
    this.#revision = rollout.revision;
    const found = await get(at("rollouts", this.#name)).catch(() => null);
    this.#show(found?.rollout ?? rollout, found?.evidence ?? null);
  }

  #show(rollout, evidence) {
    say(this.#head, rollout.state.replace("_", " "));
    this.#head.setAttribute("class", `chip state-${rollout.state}`);
    fill(this.#body,
      h("p", {}, `Version ${rollout.candidate} in place of ${rollout.stable}. `, h("span", { class: "muted" }, `${rollout.reason} · started by ${rollout.created_by}, ${moment(rollout.created_at)}`)),
      timeline(rollout, evidence), rollout.cause && h("p", { class: "cause" }, rollout.cause),
      evidence?.hindrances.length > 0 && h("ul", { class: "hindrances" }, evidence.hindrances.map((each) => h("li", {}, each))),
      evidence?.verdicts.length > 0 && gates(evidence.verdicts),
      isActive(rollout) && !evidence && h("p", { class: "muted" }, "The watch is away, so there is no evidence to show. Abort works without it."),
      evidence && !evidence.is_led_here && isActive(rollout) && h("p", { class: "muted" }, "The evidence is gathered by the watch of another host."));
    this.#show_acts(rollout);
  }

  #show_acts(rollout) {
    const isHeld = rollout.state === "paused" || rollout.state === "holding";
    const verbs = !isActive(rollout) || rollout.state === "rolling_back" ? [] : [isHeld ? "resume" : "pause", "promote", "abort"];
    if (verbs.join() === this.#actsKey) return;
    this.#actsKey = verbs.join();
    fill(this.#acts, verbs.map((verb) => button(`${VERBS[verb].label}…`, () => this.#act(verb), { class: VERBS[verb].danger ? "danger" : null, needs: "operator" })));
  }

  async #act(verb) {
    const { label, facts, danger } = VERBS[verb];
    const done = await confirm({
      title: `${label} the rollout of ${this.#name}`, facts, verb: label, danger,
      act: (reason) => post(at("rollouts", this.#name, verb), { reason }),
    });
    if (done) {
      this.#revision = -1;
      tell(`${label}: done.`);
    }
  }
}

/** Return the stages of a plan as steps: what is over, where it is, what is to come. */
function timeline(rollout, evidence) {
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

/** Return each gate's verdict, with its estimate between its bounds and what is still needed. */
function gates(verdicts) {
  const head = ["Gate", "Verdict", "Evidence against", "Estimate and bounds", "Samples", "Still needed"];
  return h("div", { class: "scroll" }, h("table", { class: "gates" }, h("caption", { class: "visually-hidden" }, "Gates"),
    h("thead", {}, h("tr", {}, head.map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, verdicts.map((verdict) => h("tr", {},
      h("th", { scope: "row" }, verdict.gate),
      h("td", {}, h("span", { class: `tag ${{ pass: "ok", abort: "page" }[verdict.result] || "idle"}`, title: verdict.why }, verdict.result)),
      h("td", { "data-label": "Evidence against" }, verdict.evidence === null ? "–" : bar(verdict.evidence, verdict.level)),
      h("td", { "data-label": "Bounds" }, verdict.estimate === null ? h("span", { class: "muted" }, "–") : bounds(verdict)),
      h("td", { class: "num", "data-label": "Samples" }, verdict.samples.toLocaleString("en")),
      h("td", { class: "num", "data-label": "Still needed" }, verdict.result === "pass" ? "–" : verdict.needed === null ? "not known yet" : plural(verdict.needed, "sample")))))));
}

function bar(evidence, level) {
  const ratio = level ? Math.max(0, Math.min(1, evidence / level)) : 0;
  return h("span", { class: "gate-bar" }, s("svg", { class: "meter", viewBox: "0 0 60 6", preserveAspectRatio: "none", "aria-hidden": "true" },
    s("rect", { class: "meter-track", width: 60, height: 6, rx: 3 }), s("rect", { class: `meter-fill ${ratio >= 1 ? "page" : ratio > 0.5 ? "warn" : ""}`, width: Math.max(1, 60 * ratio), height: 6, rx: 3 })),
    h("span", { class: "num" }, `${number(Math.max(0, evidence), 2)} of ${number(level, 2)} nats`));
}

function bounds(verdict) {
  const { low, high, estimate, margin } = verdict;
  const wide = Math.max(Math.abs(low ?? estimate), Math.abs(high ?? estimate), Math.abs(margin ?? 0), 1e-9) * 1.15;
  const x = (value) => 60 + (55 * value) / wide;
  return h("span", { class: "gate-bar" }, s("svg", { class: "bounds", viewBox: "0 0 120 12", "aria-hidden": "true" },
    s("line", { class: "grid", x1: 60, x2: 60, y1: 0, y2: 12 }), margin !== null && s("line", { class: "limit", x1: x(margin), x2: x(margin), y1: 0, y2: 12 }),
    low !== null && high !== null && s("line", { class: "whisker", x1: x(low), x2: x(high), y1: 6, y2: 6 }), s("circle", { class: "point", cx: x(estimate), cy: 6, r: 2.6 })),
    h("span", { class: "num" }, `${number(estimate, 2)}${high !== null ? `, at most ${number(high, 2)}` : ""}${margin !== null ? `; may be ${number(margin, 2)}` : ""}`));
}
