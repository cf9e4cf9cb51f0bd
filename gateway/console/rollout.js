// The rollout: where it is on its way, what each gate says, and what is still missing.

import { at, get, post } from "./api.js";
import { confirm, tell } from "./dialog.js";
import { button, fill, h, panel, s, say } from "./dom.js";
import { moment, number, plural } from "./format.js";
import { candidates, gatesOf, overrideGate, startRollout } from "./rollout_acts.js";
import { isActive } from "./state.js";
import { timeline } from "./timeline.js";

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
  #model = null;
  #rollout = null;
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
    this.#model = model;
    this.node.hidden = !model.route;
    if (!rollout) this.#showNone();
    this.#showActs();
    if (!rollout) return;
    const isDue = isActive(rollout) && Date.now() - this.#askedAt > EVERY_MS;
    if (rollout.revision === this.#revision && !isDue) return;
    this.#askedAt = Date.now();
    this.#revision = rollout.revision;
    const found = await get(at("rollouts", this.#name)).catch(() => null);
    this.#show(found?.rollout ?? rollout, found?.evidence ?? null);
  }

  #showNone() {
    this.#revision = 0;
    this.#head.hidden = true;
    const words = candidates(this.#model).length ? "No version is on its way." : "There is no other version to roll out. Put one into the folder of models.";
    if (this.#body.textContent !== words) fill(this.#body, h("p", { class: "muted" }, words));
  }

  #show(rollout, evidence) {
    this.#rollout = rollout;
    this.#head.hidden = false;
    say(this.#head, rollout.state.replace("_", " "));
    this.#head.setAttribute("class", `chip state-${rollout.state}`);
    fill(this.#body,
      h("p", {}, `Version ${rollout.candidate} in place of ${rollout.stable}. `, h("span", { class: "muted" }, `${rollout.reason} · started by ${rollout.created_by}, ${moment(rollout.created_at)}`)),
      timeline(rollout, evidence), rollout.overrides.map(answered), rollout.cause && h("p", { class: "cause" }, rollout.cause),
      evidence?.hindrances.length > 0 && h("ul", { class: "hindrances" }, evidence.hindrances.map((each) => h("li", {}, each))),
      evidence?.verdicts.length > 0 && gates(evidence.verdicts),
      isActive(rollout) && !evidence && h("p", { class: "muted" }, "The watch is away, so there is no evidence to show. Abort works without it."),
      evidence && !evidence.is_led_here && isActive(rollout) && h("p", { class: "muted" }, "The evidence is gathered by the watch of another host."));
    this.#showActs();
  }

  #showActs() {
    const verbs = this.#verbs();
    if (verbs.join() === this.#actsKey) return;
    this.#actsKey = verbs.join();
    const made = {
      start: () => button("Start a rollout…", () => this.#start(), { id: "rollout-start", needs: "operator" }),
      override: () => button("Override…", () => this.#override(), { needs: "operator" }),
    };
    fill(this.#acts, verbs.map((verb) => made[verb]?.() ?? button(`${VERBS[verb].label}…`, () => this.#act(verb), { class: VERBS[verb].danger ? "danger" : null, needs: "operator" })));
  }

  /** Return what may be done now. */
  #verbs() {
    const rollout = this.#newest();
    if (!isActive(rollout)) return candidates(this.#model).length ? ["start"] : [];
    if (rollout.state === "rolling_back") return [];
    const isHeld = rollout.state === "paused" || rollout.state === "holding";
    const canOverride = gatesOf(rollout).length > rollout.overrides.length;
    return [isHeld ? "resume" : "pause", "promote", ...(canOverride ? ["override"] : []), "abort"];
  }

  /** Return the rollout as it was seen last: by the overview, or when it was asked for with its evidence. */
  #newest() {
    const told = this.#model.rollout;
    return told && this.#rollout?.revision > told.revision ? this.#rollout : told;
  }

  async #start() {
    const version = await startRollout(this.#model);
    if (!version) return;
    this.#revision = -1;
    tell(`The rollout of version ${version} has begun.`);
  }

  async #override() {
    const found = await get(at("rollouts", this.#name)).catch(() => null);
    const gate = await overrideGate(found?.rollout ?? this.#newest(), found?.evidence);
    if (!gate) return;
    this.#revision = -1;
    tell(`You answer for ${gate} until this stage is over.`);
  }

  async #act(verb) {
    const { label, facts, danger } = VERBS[verb];
    const done = await confirm({
      title: `${label} the rollout of ${this.#name}`, facts, verb: label, danger,
      act: (reason, key) => post(at("rollouts", this.#name, verb), { reason }, { key }),
    });
    if (done) {
      this.#revision = -1;
      tell(`${label}: done.`);
    }
  }
}

function answered(override) {
  return h("p", { class: "answered" }, h("b", {}, override.gate), ` is overridden by ${override.by}, ${moment(override.at)}: ${override.reason}`);
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
