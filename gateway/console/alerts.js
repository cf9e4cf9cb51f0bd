// Alerts: what moved, how sure the monitors are, and what one may say of it.

import { at, post } from "./api.js";
import { confirm, tell } from "./dialog.js";
import { button, fill, h } from "./dom.js";
import { ago, number } from "./format.js";
import { placeOf } from "./segments.js";

/** A list of alerts, kept as it is while nothing has changed; the focus stays where it was, as far as that is still there. */
export class AlertList {
  #key = "";
  #showsModel;
  node = h("ul", { class: "alerts" });

  constructor({ showsModel }) {
    this.#showsModel = showsModel;
  }

  update(alerts) {
    const key = JSON.stringify(alerts.map(({ updated_at, labels, ...told }) => told));
    if (key === this.#key) return;
    this.#key = key;
    const focused = this.node.contains(document.activeElement) ? document.activeElement : null;
    const [within, label] = [focused?.closest("[data-alert]")?.dataset.alert, focused?.textContent];
    fill(this.node, alerts.length ? alerts.map((alert) => this.#item(alert)) : h("li", { class: "empty" }, "Nothing is open."));
    if (!focused) return;
    const acts = [...this.node.children].filter((item) => item.dataset.alert === within).flatMap((item) => [...item.querySelectorAll("button")]);
    (acts.find((act) => act.textContent === label) || acts[0])?.focus();
  }

  #item(alert) {
    const kind = alert.state === "resolved" ? "ok" : alert.severity === "page" ? "page" : "warn";
    const who = `${this.#showsModel ? `${alert.model} ` : ""}${alert.variant} ${alert.version}`;
    const drivers = alert.drivers.map((driver) => h("li", {}, driver.statistic === "segment" ? leadTo(alert, driver) : h("b", {}, driver.name), " ", h("span", {}, driver.before), " → ", h("span", {}, driver.after)));
    const evidence = alert.evidence === null ? alert.calibration
      : `evidence ${number(alert.evidence)} of ${number(alert.evidence_threshold)} nats · ${alert.calibration}`;
    const said = alert.acknowledged
      ? `acknowledged by ${alert.acknowledged.by} ${ago(alert.acknowledged.at)}${alert.acknowledged.reason ? `: ${alert.acknowledged.reason}` : ""}` : null;
    return h("li", { class: `alert ${kind}`, "data-alert": alert.id },
      h("div", { class: "alert-head" }, h("span", { class: `tag ${kind}` }, alert.state === "resolved" ? "resolved" : alert.severity),
        h("b", {}, alert.cause), h("span", { class: "muted" }, who), h("span", { class: "muted when" }, `${alert.state} · since ${ago(alert.since)}`)),
      drivers.length ? h("ul", { class: "drivers" }, drivers) : null,
      h("p", { class: "muted small" }, [evidence, said, alert.is_false ? "marked false" : null].filter(Boolean).join(" · ")),
      h("p", { class: "small" }, alert.suggested_action), this.#actions(alert));
  }

  #actions(alert) {
    const acts = [];
    if (alert.state !== "resolved" && !alert.acknowledged) acts.push(button("Acknowledge", () => this.#say(alert, "acknowledge"), { needs: "operator" }));
    if (alert.severity === "page" && !alert.is_false) acts.push(button("Mark false", () => this.#say(alert, "false"), { needs: "operator" }));
    return acts.length ? h("div", { class: "actions" }, acts) : null;
  }

  async #say(alert, verb) {
    const isFalse = verb === "false";
    const done = await confirm({
      title: isFalse ? "Mark this page false" : "Acknowledge this alert",
      facts: isFalse ? `It counts against the budget of false pages of ${alert.model}. The alert itself stays until what it saw is over.`
        : "Others see that you are at it. The alert stays open until what it saw is over.",
      verb: isFalse ? "Mark false" : "Acknowledge",
      act: (reason) => post(at("alerts", alert.id, verb), { reason }),
    });
    if (done) {
      this.#key = "";
      tell(isFalse ? "Marked false." : "Acknowledged.");
    }
  }
}

/** Return a link to the segment that an alert names. */
function leadTo(alert, driver) {
  const place = placeOf(alert, driver);
  // Where one is there already the hash does not change, and nobody would hear of the click.
  const again = () => location.hash === place && window.dispatchEvent(new HashChangeEvent("hashchange"));
  return h("a", { class: "driver", href: place, on: { click: again } }, driver.name);
}
