// The audit trail: who did what, when and why, the newest first.

import { get } from "./api.js";
import { fill, h, panel } from "./dom.js";
import { moment } from "./format.js";

const SHOWN = 100;

/** A table of audit records; asks anew when told that something may have happened. */
export class AuditTable {
  #resources;
  #asked = "";
  #last = -1;
  #body = h("tbody");
  #note = h("p", { class: "empty" });

  /** `resources` names what to show; without, everything is shown. */
  constructor(resources = null) {
    this.#resources = resources;
    const columns = ["When", "Who", "What", "On", "Why"];
    this.node = h("div", {}, h("table", { class: "audit" }, h("caption", { class: "visually-hidden" }, "Audit records, the newest first"),
      h("thead", {}, h("tr", {}, columns.map((name) => h("th", { scope: "col" }, name)))), this.#body), this.#note);
  }

  /** Read again when `sign` is another one than last time. */
  async update(sign) {
    if (sign === this.#asked) return;
    this.#asked = sign;
    try {
      const asked = (this.#resources || [null]).map((resource) =>
        get(`/audit?last=${SHOWN}${resource ? `&resource=${encodeURIComponent(resource)}` : ""}`));
      const records = (await Promise.all(asked)).flatMap((found) => found.records).sort((a, b) => b.sequence - a.sequence).slice(0, SHOWN);
      this.#show(records);
    } catch (problem) {
      this.#asked = "";
      fill(this.#note, problem.message);
    }
  }

  #show(records) {
    const newest = records.length ? records[0].sequence : 0;
    fill(this.#note, records.length ? "" : "No record yet.");
    if (newest === this.#last) return;
    this.#last = newest;
    fill(this.#body, records.map((record) => h("tr", {},
      h("td", { class: "num nowrap" }, moment(record.time)), h("td", { "data-label": "Who" }, record.actor.subject),
      h("td", {}, h("code", {}, record.action)), h("td", { "data-label": "On" }, record.resource), h("td", { class: "reason" }, record.reason))));
  }
}

/** The whole trail on a page of its own. */
export class AuditView {
  #table = new AuditTable();

  constructor() {
    this.node = h("div", { class: "page" }, h("div", { class: "page-head" }, h("h1", {}, "Audit trail")),
      panel("Newest records", { id: "audit", wide: true }, this.#table.node));
  }

  update(overview) {
    this.#table.update(JSON.stringify([overview.models.map((model) => [model.route?.revision, model.rollout?.revision]),
      overview.alerts.map((alert) => [alert.id, alert.state, alert.acknowledged, alert.is_false])]));
  }

  close() {}
}
