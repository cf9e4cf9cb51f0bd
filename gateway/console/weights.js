// Weights: what a change would do, before it is done, against the revision that was looked at.

import { at, get, put } from "./api.js";
import { confirm, tell } from "./dialog.js";
import { button, fill, h, panel, say, set } from "./dom.js";
import { percent, rate } from "./format.js";
import { may } from "./roles.js";
import { isActive, totals } from "./state.js";

export class Weights {
  #model = null;
  #route = null;
  #slider = h("input", { id: "weight-slider", type: "range", min: 0, max: 100, step: 1, "aria-describedby": "consequence" });
  #exact = h("input", { id: "weight-exact", type: "number", min: 0, max: 100, step: 0.01, inputmode: "decimal" });
  #version = h("select", { id: "weight-version" });
  #consequence = h("p", { class: "consequence", id: "consequence", "aria-live": "polite" });
  #notice = h("p", { class: "notice", role: "status" });
  #apply = button("Apply…", () => this.#confirm(), { class: "primary", id: "weight-apply", needs: "operator" });
  #reset = button("Start over", () => this.#begin(this.#model), { class: "quiet" });
  #isDirty = false;
  #options = "";

  constructor() {
    const edit = (weight) => {
      this.#isDirty = true;
      this.#show(weight);
    };
    this.#slider.addEventListener("input", () => edit(Number(this.#slider.value)));
    this.#exact.addEventListener("input", () => edit(this.#exact.value === "" ? 0 : Math.min(100, Math.max(0, Number(this.#exact.value)))));
    this.#version.addEventListener("change", () => edit(Number(this.#exact.value)));
    this.node = panel("Weights", { id: "weights" },
      h("div", { class: "weights" },
        h("label", { for: "weight-version" }, "Canary"), this.#version,
        h("label", { for: "weight-slider" }, "Share of the keys"),
        h("div", { class: "slider" }, this.#slider, h("span", { class: "exact" }, this.#exact, h("label", { for: "weight-exact" }, "%")))),
      this.#consequence, this.#notice, h("div", { class: "actions" }, this.#reset, this.#apply));
  }

  /** Show the route; what somebody is editing stays. */
  update(model) {
    this.#model = model;
    if (!model.route) return;
    this.#versions();
    if (!this.#isDirty && model.route.revision !== this.#route?.revision) this.#begin(model);
    if (this.#isDirty && model.route.revision !== this.#route.revision) {
      say(this.#notice, `The route has changed to revision ${model.route.revision} (${model.route.updated_by}: ${model.route.reason}) while you were editing revision ${this.#route.revision}. Start over to edit it.`);
    }
    this.#show(this.#weight());
  }

  #begin(model) {
    this.#route = model.route;
    this.#isDirty = false;
    this.#versions();
    say(this.#notice, "");
    if (this.#route.canary) this.#version.value = this.#route.canary.version;
    this.#show(this.#route.canary ? this.#route.canary.weight : 0);
  }

  #weight() {
    return this.#exact.value === "" ? 0 : Number(this.#exact.value);
  }

  #versions() {
    const route = this.#route || this.#model.route;
    const ready = this.#model.versions.filter((each) => each.version !== route.stable
      && (each.version === route.canary?.version || Object.values(each.workers).some((worker) => worker.state === "ready")));
    const key = JSON.stringify(ready.map((each) => each.version));
    if (key === this.#options) return;
    this.#options = key;
    const chosen = this.#version.value;
    fill(this.#version, ready.map((each) => h("option", { value: each.version }, each.version)));
    if (ready.some((each) => each.version === chosen)) this.#version.value = chosen;
  }

  #show(weight) {
    if (document.activeElement !== this.#exact) this.#exact.value = String(weight);
    this.#slider.value = String(weight);
    const version = this.#version.value;
    set(this.#slider, { "aria-valuetext": version ? `${percent(weight)} to version ${version}` : "no other version is ready" });
    for (const control of [this.#slider, this.#exact, this.#version]) control.disabled = !version;
    const before = this.#route.canary?.weight ?? 0;
    const isSame = weight === before && (version === this.#route.canary?.version || (weight === 0 && !this.#route.canary));
    this.#apply.disabled = !may("operator") || isSame || !version || weight > 100 || weight < 0 || !Number.isFinite(weight);
    this.#reset.hidden = !this.#isDirty;
    fill(this.#consequence, ...this.#words(version, weight, isSame));
  }

  /** Return what would happen, in words and numbers. */
  #words(version, weight, isSame) {
    const route = this.#route;
    if (!version) return ["No other version is ready on the workers. Load one below, or put a new one into the folder of models."];
    const requests = totals(this.#model).requests;
    const before = route.canary?.weight ?? 0;
    if (isSame) {
      return [before ? `Version ${version} answers ${percent(before)} of the keys, about ${rate((requests * before) / 100)} requests/s.` : `Version ${route.stable} answers everything. Move the slider to see what a canary would get.`];
    }
    const isOther = route.canary && route.canary.version !== version;
    const moved = isOther ? before + weight : Math.abs(weight - before);
    const told = [];
    if (isOther) told.push(`Version ${route.canary.version} loses its ${percent(before)} and version ${version} gets ${percent(weight)} of the keys, drawn anew. `);
    else if (weight > before) told.push(h("b", {}, `${percent(moved)} of the keys move`), ` from version ${route.stable} to version ${version}; those it has stay. `);
    else told.push(h("b", {}, `${percent(moved)} of the keys go back`), ` from version ${version} to version ${route.stable}. `);
    told.push(`That is about `, h("b", {}, `${rate((requests * moved) / 100)} requests/s`), ` of ${rate(requests)}; version ${version} then answers ${rate((requests * weight) / 100)}/s.`);
    if (isActive(this.#model.rollout)) told.push(" The rollout that is under way ends: a change by hand supersedes it.");
    return told;
  }

  async #confirm() {
    const [version, weight, route, name] = [this.#version.value, this.#weight(), this.#route, this.#model.model];
    const shadow = route.shadow.filter((each) => each.version !== route.stable);
    const done = await confirm({
      title: `${name}: ${percent(weight)} to version ${version}`,
      facts: h("div", {}, h("p", {}, this.#words(version, weight, false)), h("p", { class: "muted small" }, `Replaces revision ${route.revision}, and nothing later.`)),
      verb: "Apply",
      needsReason: true,
      act: (reason) => put(at("models", name, "route"), { stable: route.stable, canary: { version, weight }, shadow, reason }, route.revision),
      refused: (problem) => problem.kind === "revision-stale"
        ? `Somebody was faster: ${problem.message}. Nothing was changed. Cancel, look at the new route, and decide again.` : null,
    });
    if (!done) return;
    this.#isDirty = false;
    tell(`Version ${version} of ${name} gets ${percent(weight)}.`);
    const found = await get(at("models", name, "route")).catch(() => null);
    if (found) this.#begin({ ...this.#model, route: found });
  }
}
