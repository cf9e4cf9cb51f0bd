// One model: its river, its weights, its rollout, how it drifts, who did what.

import { AlertList } from "./alerts.js";
import { at, get, post, text } from "./api.js";
import { AuditTable } from "./audit.js";
import { lines } from "./charts.js";
import { confirm, read, tell } from "./dialog.js";
import { button, fill, h, panel, say, set } from "./dom.js";
import { DriftPanels } from "./drift.js";
import { Flow } from "./flow.js";
import { rate } from "./format.js";
import { may } from "./roles.js";
import { RolloutPanel } from "./rollout.js";
import { alertsOf, arms, condition, isOpen } from "./state.js";
import { Weights } from "./weights.js";

const STEP_S = 2;

export class ModelView {
  #live;
  #model = null;
  #dot = h("span", { class: "dot", "aria-hidden": "true" });
  #word = h("span", {});
  #line = h("p", { class: "muted summary" });
  #roll = button("Roll back…", () => this.#rollBack(), { id: "roll-back", needs: "operator" });
  #halt = button("Stop…", () => this.#stop(), { class: "danger", id: "stop", needs: "operator" });
  #banner = h("p", { class: "banner", role: "status" });
  #body = h("div", { class: "grid" });
  #missing = h("p", { class: "empty" });
  #flow = new Flow();
  #weights = new Weights();
  #traffic = h("div", {});
  #versions = h("tbody");
  #versionsKey = "";
  #trafficAt = 0;

  constructor(live, name) {
    this.#live = live;
    this.title = name;
    this.rollout = new RolloutPanel(name);
    this.drift = new DriftPanels(name);
    this.alerts = new AlertList({ showsModel: false });
    this.audit = new AuditTable([`route/${name}`, `rollout/${name}`, `residency/${name}`]);
    const heading = h("div", { class: "page-head" },
      h("nav", { "aria-label": "Path", class: "path" }, h("a", { href: "#/" }, "Models"), h("span", { class: "muted" }, " / ")),
      h("h1", {}, name), h("span", { class: "state" }, this.#dot, this.#word), h("div", { class: "actions" }, this.#roll, this.#halt), this.#line);
    const columns = ["Version", "Role", "Workers", "Digest", ""];
    fill(this.#body,
      panel("Flow", { id: "flow", wide: true }, this.#flow.node),
      this.#weights.node, panel("Traffic", { id: "traffic" }, this.#traffic),
      this.rollout.node, this.drift.map, this.drift.segments, this.drift.confidence, panel("Alerts", { id: "alerts" }, this.alerts.node),
      panel("Versions", { id: "versions", wide: true }, h("table", { class: "versions" }, h("caption", { class: "visually-hidden" }, "Versions"),
        h("thead", {}, h("tr", {}, columns.map((column) => h("th", { scope: "col" }, column)))), this.#versions)),
      panel("Audit trail", { id: "audit", wide: true }, this.audit.node));
    this.#body.hidden = true;
    this.node = h("div", { class: "page" }, heading, this.#banner, this.#missing, this.#body);
  }

  /** Show an overview. */
  update(overview) {
    const model = overview.models.find((each) => each.model === this.title);
    say(this.#missing, model ? "" : "There is no such model.");
    this.#body.hidden = !model;
    for (const act of [this.#roll, this.#halt]) act.hidden = !model?.route;
    if (!model) return;
    this.#model = model;
    const alerts = alertsOf(overview, this.title);
    this.#head(model, alerts);
    this.#flow.update(model);
    this.#weights.node.hidden = !model.route;
    this.#weights.update(model);
    this.rollout.update(model);
    this.#drawTraffic(model);
    this.drift.update();
    this.alerts.update([...alerts.filter(isOpen), ...alerts.filter((alert) => !isOpen(alert))]);
    this.#drawVersions(model);
    this.audit.update(JSON.stringify([model.route?.revision, model.rollout?.revision]));
  }

  /** Go to what an alert says of a segment. */
  lead(place) {
    this.drift.lead(place);
  }

  close() {
    this.#flow.close();
  }

  #head(model, alerts) {
    const how = condition(model, alerts);
    set(this.#dot, { class: `dot ${how.kind}` });
    say(this.#word, how.word);
    const { route } = model;
    if (!route) {
      say(this.#line, "Nobody has given this model a route.");
      return;
    }
    say(this.#line, `revision ${route.revision} · ${route.updated_by}: ${route.reason}`);
    const { stop } = route;
    say(this.#banner, stop ? `Stopped by ${stop.by}${stop.reason ? `: ${stop.reason}` : ""}. ${stop.version ? `Version ${stop.version} answers everything.` : "Every request is refused."}` : "");
    say(this.#halt, stop ? "Resume…" : "Stop…");
    set(this.#halt, { class: stop ? "primary" : "danger" });
    this.#roll.disabled = !may("operator") || Boolean(stop) || !(route.canary || route.previous_stable);
  }

  #drawTraffic(model) {
    if (Date.now() - this.#trafficAt < 1900) return;
    this.#trafficAt = Date.now();
    const shown = arms(model.route).map((arm) => ({ arm, steps: this.#live.steps(this.title, arm.version, arm.variant) }));
    const length = Math.max(2, ...shown.map(({ steps }) => steps.requests.length));
    const padded = (values) => [...Array(length - values.length).fill(null), ...values];
    const now = this.#live.overview.at;
    const times = Array.from({ length }, (_, i) => now - (length - 1 - i) * STEP_S);
    const series = shown.map(({ arm, steps }) => ({ name: `${arm.variant} ${arm.version}`, kind: arm.variant, values: padded(steps.requests) }));
    const errors = shown.map(({ arm, steps }) => ({ name: `${arm.variant} ${arm.version}`, kind: arm.variant, values: padded(steps.errors) }));
    fill(this.#traffic, lines({ series, at: times, label: "Requests per second by version", unit: "/s", tell: rate }),
      h("h3", {}, "Errors"), lines({ series: errors, at: times, label: "Errors per second by version", unit: "/s", least: 1, tell: rate }));
  }

  #drawVersions(model) {
    const key = JSON.stringify(model.versions);
    if (key === this.#versionsKey || this.#versions.contains(document.activeElement)) return;
    this.#versionsKey = key;
    fill(this.#versions, model.versions.map((each) => {
      const states = Object.values(each.workers);
      const ready = states.filter((worker) => worker.state === "ready").length;
      const why = [...new Set(states.map((worker) => worker.why).filter(Boolean))].join("; ");
      const lacks = each.missing?.length ? `May not take live traffic yet. Missing: ${each.missing.join("; ")}` : "";
      const acts = [button("Card", () => this.#card(each.version), { class: "quiet" })];
      if (!each.role) {
        acts.push(ready ? button("Unload…", () => this.#residency(each.version, "unload"), { class: "quiet", needs: "operator" })
          : button("Load…", () => this.#residency(each.version, "load"), { class: "quiet", needs: "operator" }));
      }
      return h("tr", {}, h("th", { scope: "row" }, each.version),
        h("td", { "data-label": "Role" }, each.role ? h("span", { class: `arm ${each.role}` }, h("i", { class: `key ${each.role}`, "aria-hidden": "true" }), each.role) : h("span", { class: "muted" }, "–")),
        h("td", { "data-label": "Workers" }, states.length ? `${ready} of ${states.length} ready` : "not loaded", why ? h("span", { class: "warn small" }, ` ${why}`) : "",
          lacks ? h("span", { class: "warn small lacks" }, ` ${lacks}`) : ""),
        h("td", { "data-label": "Digest" }, h("code", { title: each.digest || "" }, each.digest ? each.digest.slice(7, 19) : "–")), h("td", { class: "acts" }, acts));
    }));
  }

  async #card(version) {
    try {
      const card = await text(at("models", this.title, "versions", version, "card"));
      read(`${this.title} ${version}`, card || "This version has no model card.");
    } catch (problem) {
      tell(problem.message);
    }
  }

  async #residency(version, verb) {
    const done = await confirm({
      title: `${verb === "load" ? "Load" : "Unload"} version ${version}`,
      facts: verb === "load" ? "Every worker loads it and keeps it. It gets no traffic by that." : "Every worker lets it go.",
      verb: verb === "load" ? "Load" : "Unload",
      act: (reason) => post(at("models", this.title, "versions", version, verb), { reason }),
    });
    if (done) tell(verb === "load" ? `Version ${version} is loaded, or about to be.` : `Version ${version} is unloaded.`);
  }

  async #rollBack() {
    const { route } = this.#model;
    const { canary, stable, previous_stable: previous } = route;
    const done = await confirm({
      title: `Roll back ${this.title}`,
      facts: canary ? `Version ${canary.version} gets no traffic any more; version ${stable} answers everything.`
        : `Version ${previous} becomes stable again in place of ${stable}.`,
      verb: "Roll back", danger: true,
      act: (reason) => stepBack(this.title, route, reason),
    });
    if (done) tell(`${this.title} is rolled back.`);
  }

  async #stop() {
    const isStopped = Boolean(this.#model.route.stop);
    const done = await confirm({
      title: isStopped ? `Resume ${this.title}` : `Stop ${this.title}`,
      facts: isStopped ? "Its route comes into force again, as it is now." : "Every request is refused with 503 until you resume. The route stays as it is.",
      verb: isStopped ? "Resume" : "Stop", danger: !isStopped,
      act: (reason) => post(at("models", this.title, isStopped ? "resume" : "stop"), { reason }),
    });
    if (done) tell(isStopped ? `${this.title} answers again.` : `${this.title} is stopped.`);
  }
}

/** Go back from the route that was looked at, or from a later one where that is the same step: two must not go back twice. */
async function stepBack(name, seen, reason) {
  const from = ({ canary, stable, previous_stable: previous }) => (canary ? `${canary.version} to ${stable}` : `${stable} to ${previous}`);
  for (let route = seen; ; route = await get(at("models", name, "route"))) {
    if (from(route) !== from(seen)) {
      throw new Error(`Somebody was faster (${route.updated_by}: ${route.reason}), and this would be another step back. Nothing more was changed. Cancel, and look again.`);
    }
    try {
      return await post(at("models", name, "rollback"), { reason }, { revision: route.revision });
    } catch (problem) {
      if (problem.kind !== "revision-stale") throw problem;
    }
  }
}
