// All models at a glance: one row a model, updated in place.

import { AlertList } from "./alerts.js";
import { meter, sparkline } from "./charts.js";
import { fill, h, panel, s, say, set } from "./dom.js";
import { ms, number, percent, plural, rate, share } from "./format.js";
import { alertsOf, arms, condition, isActive, isOpen, rolloutWords, totals, worstDrift } from "./state.js";

const COLUMNS = ["Model", "Versions", "Requests", "Errors", "p99", "Drift", "Rollout"];

export class GlanceView {
  #live;
  #rows = new Map();
  #body = h("tbody");
  #summary = h("p", { class: "muted summary" });
  #empty = h("p", { class: "empty" });
  #alerts;

  constructor(live) {
    this.#live = live;
    this.#alerts = new AlertList({ showsModel: true });
    const head = h("thead", {}, h("tr", {}, COLUMNS.map((name) => h("th", { scope: "col" }, name))));
    const table = h("table", { class: "models" }, h("caption", { class: "visually-hidden" }, "All models"), head, this.#body);
    this.node = h("div", { class: "page" }, h("div", { class: "page-head" }, h("h1", {}, "Models"), this.#summary),
      h("div", { class: "panel flush" }, table, this.#empty),
      panel("Open alerts", { id: "alerts" }, this.#alerts.node));
  }

  /** Show an overview. */
  update(overview) {
    const names = new Set(overview.models.map((model) => model.model));
    for (const [name, row] of this.#rows) {
      if (!names.has(name)) {
        row.node.remove();
        this.#rows.delete(name);
      }
    }
    for (const model of overview.models) {
      if (!this.#rows.has(model.model)) {
        const row = new Row(model.model);
        this.#rows.set(model.model, row);
        this.#body.append(row.node);
      }
      this.#rows.get(model.model).update(model, overview, this.#live);
    }
    const requests = overview.models.reduce((sum, model) => sum + totals(model).requests, 0);
    const open = overview.alerts.filter(isOpen);
    say(this.#summary, `${plural(overview.models.length, "model")} · ${rate(requests)} requests/s · ${plural(open.length, "open alert")}`);
    say(this.#empty, overview.models.length ? "" : "No model yet. Put one into MODELS/name/1/model.onnx.");
    this.#alerts.update(open);
  }

  close() {}
}

class Row {
  #name;
  #key = "";
  #spark = h("td", { class: "cell-rate", "data-label": "Requests" });
  #rate = h("span", { class: "num" });
  #sparkBox = h("span", { class: "spark-box" });
  #split = h("td", { class: "cell-split", "data-label": "Versions" });
  #errors = h("td", { class: "num", "data-label": "Errors" });
  #p99 = h("td", { class: "num", "data-label": "p99" });
  #drift = h("td", { "data-label": "Drift" });
  #rollout = h("td", { "data-label": "Rollout" });
  #dot = h("span", { class: "dot", "aria-hidden": "true" });
  #word = h("span", { class: "word" });

  constructor(name) {
    this.#name = name;
    const link = h("a", { href: `#/models/${encodeURIComponent(name)}` }, name);
    this.#spark.append(this.#rate, this.#sparkBox);
    this.node = h("tr", {}, h("th", { scope: "row" }, this.#dot, h("span", { class: "name" }, link, this.#word)),
      this.#split, this.#spark, this.#errors, this.#p99, this.#drift, this.#rollout);
  }

  update(model, overview, live) {
    const how = condition(model, alertsOf(overview, this.#name));
    set(this.#dot, { class: `dot ${how.kind}` });
    say(this.#word, how.word);
    const total = totals(model);
    say(this.#rate, `${rate(total.requests)}/s`);
    const steps = added(arms(model.route).filter((arm) => arm.variant !== "shadow")
      .map((arm) => live.steps(this.#name, arm.version, arm.variant)));
    fill(this.#sparkBox, sparkline(steps.requests, steps.errors, `Requests of ${this.#name} over five minutes`));
    const failed = total.requests + total.masked > 0 ? (total.errors + total.masked) / (total.requests + total.masked) : 0;
    say(this.#errors, share(failed));
    set(this.#errors, { class: `num ${failed >= 0.05 ? "page" : failed > 0 ? "warn" : ""}`.trim() });
    say(this.#p99, ms(total.p99));
    const worst = worstDrift(model);
    fill(this.#drift, worst ? driftCell(worst) : h("span", { class: "muted" }, "no reference"));
    fill(this.#rollout, model.rollout && isActive(model.rollout)
      ? h("span", { class: "chip" }, `${model.rollout.candidate}: ${rolloutWords(model.rollout)}`) : h("span", { class: "muted" }, "–"));
    const key = JSON.stringify(model.route);
    if (key !== this.#key) {
      this.#key = key;
      fill(this.#split, splitBar(model.route));
    }
  }
}

function driftCell(worst) {
  const level = worst.level;
  const kind = level >= 1 ? "page" : level >= 0.5 ? "warn" : "";
  const what = level >= 0.25 && worst.feature ? worst.feature : "none to speak of";
  return h("span", { class: "drift-cell", title: "1 is the level at which the effect alone would page" }, meter(level, kind),
    h("span", { class: `num ${kind}` }, number(level, 2)), h("span", { class: "muted clip" }, what));
}

/** Return the weights of a route as a bar, with words beside it. */
export function splitBar(route) {
  if (!route) return h("span", { class: "muted" }, "no route");
  const all = arms(route);
  const serving = all.filter((arm) => arm.variant !== "shadow");
  let x = 0;
  const bars = serving.map((arm) => {
    const rect = s("rect", { class: `fill ${arm.variant}`, x, width: Math.max(0, arm.weight - (arm.weight < 100 ? 0.6 : 0)), height: 8 });
    x += arm.weight;
    return rect;
  });
  const words = all.map((arm) => h("span", { class: `arm ${arm.variant}` }, h("i", { class: `key ${arm.variant}`, "aria-hidden": "true" }),
    `${arm.version} `, h("span", { class: "muted" }, arm.variant === "shadow" ? "shadow" : `${arm.variant} ${percent(arm.weight)}`)));
  return h("div", { class: "split" },
    s("svg", { class: "split-bar", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" }, bars), h("div", { class: "arms" }, words));
}

function added(all) {
  const length = Math.max(0, ...all.map((steps) => steps.requests.length));
  const sum = (name) => Array.from({ length }, (_, i) => all.reduce((total, steps) => {
    const at = i - (length - steps[name].length);
    return total + (at >= 0 ? steps[name][at] : 0);
  }, 0));
  return { requests: sum("requests"), errors: sum("errors") };
}
