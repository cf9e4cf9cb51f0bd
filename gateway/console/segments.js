// Segments: whether only some of the rows have moved, which they are, and what has moved in them.

import { meter } from "./charts.js";
import { tell } from "./dialog.js";
import { fill, h, panel, put, say, set } from "./dom.js";
import { number, plural, share } from "./format.js";
import { isOpen } from "./state.js";

const WITHIN = " where ";
const MOST_FEATURES = 40;
const FURTHEST = 1;
const NEAR = 0.5;
const LEAST_ROWS = 10;

/** Return the place of what an alert says of one segment: the hash that leads there. */
export function placeOf(alert, driver) {
  return `#/models/${[alert.model, "segment", alert.variant, alert.version, driver.name].map(encodeURIComponent).join("/")}`;
}

/** Return which of the segments what an alert names is of, and what of it; `null` where none is called so. */
export function named(segments, driver) {
  const found = segments.values.map((each) => ({ name: each.name, end: `${WITHIN}${segments.feature} is ${each.name}` }))
    .filter((each) => driver.endsWith(each.end)).sort((a, b) => b.end.length - a.end.length)[0];
  return found ? { name: found.name, feature: driver.slice(0, -found.end.length) } : null;
}

export class SegmentPanel {
  #stream = null;
  #chosen = null;
  #feature = "";
  #led = null;
  #alerted = new Set();
  #rows = new Map();
  #order = "";
  #said = h("p", { class: "summary" });
  #note = h("p", { class: "muted small" });
  #list = h("div", { class: "segment-list", role: "list" });
  #detail = h("div", { class: "detail", id: "segment-detail" });
  #about = h("span", { class: "muted small" });
  #title;

  constructor() {
    this.node = panel("Drift by segment", { id: "segments", wide: true, aside: this.#about }, this.#said, this.#list, this.#note, this.#detail);
    this.#title = this.node.querySelector("h2");
    this.node.hidden = true;
  }

  /** Go to what an alert says of a segment, as soon as the report has it. */
  lead(place) {
    this.#led = place;
  }

  /** Show the segments of a stream of the report. */
  update(stream, alerts) {
    const before = this.#key();
    this.#stream = stream ?? null;
    if (this.#key() !== before) [this.#chosen, this.#feature] = [null, ""];
    const segments = stream?.segments;
    const drivers = alerts.filter((each) => isOpen(each) && each.variant === stream?.variant && each.version === stream?.version)
      .flatMap((each) => each.drivers).filter((driver) => driver.statistic === "segment");
    this.#alerted = new Set(segments ? drivers.map((driver) => named(segments, driver.name)?.name) : []);
    this.#draw();
  }

  #key() {
    return this.#stream && `${this.#stream.variant} ${this.#stream.version}`;
  }

  #draw() {
    const segments = this.#stream?.segments;
    this.node.hidden = !segments && !this.#led;
    if (!segments) {
      say(this.#said, this.#stream?.rows ? "This version is not told apart by a feature." : "No window has been judged yet.");
      for (const part of [this.#about, this.#note, this.#list, this.#detail]) fill(part);
      this.#rows.clear();
      return;
    }
    this.#follow(segments);
    const values = [...segments.values].sort((a, b) => this.#rank(b) - this.#rank(a));
    put(this.#title, "Drift by segment: ", h("span", {}, segments.feature));
    say(this.#about, this.#key());
    put(this.#said, this.#sentence(values));
    say(this.#note, `each against its own rows of the reference · 1 is the level at which the effect alone would page · ${plural(this.#stream.rows, "row")} in the newest window`);
    this.#drawList(values);
    this.#drawDetail(values.find((each) => each.name === this.#chosen));
    this.#arrive();
  }

  /** Choose what an alert has led to. */
  #follow(segments) {
    if (!this.#led) return;
    const found = this.#led.stream === this.#key() ? named(segments, this.#led.driver) : null;
    [this.#chosen, this.#feature] = found ? [found.name, found.feature] : [null, ""];
  }

  #arrive() {
    if (!this.#led) return;
    const row = this.#rows.get(this.#chosen);
    if (row) {
      row.button.focus({ preventScroll: true });
    } else {
      tell(`${this.#led.driver} of ${this.#led.stream}: the watch knows no such segment any more.`);
    }
    this.node.scrollIntoView({ block: "start" });
    this.#led = null;
  }

  /** Order by what an alert has named, then by how near a page it is: steady while numbers only tremble. */
  #rank(segment) {
    return (this.#alerted.has(segment.name) ? 1000 : 0) + Math.round(10 * Math.min(90, nearness(segment))) / 10;
  }

  #moved(segment) {
    return this.#alerted.has(segment.name) || (segment.level >= FURTHEST && segment.rows >= LEAST_ROWS);
  }

  /** Say in one sentence whether it is all of them. */
  #sentence(values) {
    const moved = values.filter((each) => this.#moved(each));
    const still = values.filter((each) => !this.#moved(each));
    const seen = still.filter((each) => !each.has_few_rows);
    const names = listed(moved.map((each) => each.name));
    const few = still.length - seen.length;
    const doubt = few ? ` ${few === 1 ? "One other has" : `${few} others have`} too few rows to tell.` : "";
    if (!moved.length) return seen.length ? `No segment has moved so far that it would page.${doubt}` : "All segments have too few rows in this window to tell.";
    if (!still.length) return "All segments have moved.";
    const isSure = moved.some((each) => this.#alerted.has(each.name) || !each.has_few_rows);
    const verb = moved.length === 1 ? (isSure ? "has moved" : "seems to have moved") : isSure ? "have moved" : "seem to have moved";
    return [seen.length ? "Only " : "", names, ` ${verb}.${doubt}`];
  }

  #drawList(values) {
    for (const each of values) if (!this.#rows.has(each.name)) this.#rows.set(each.name, this.#row(each.name));
    const order = JSON.stringify(values.map((each) => each.name));
    if (order !== this.#order || this.#list.childElementCount !== values.length) {
      this.#order = order;
      const focused = document.activeElement;
      fill(this.#list, values.map((each) => this.#rows.get(each.name).item));
      if (this.#list.contains(focused)) focused.focus({ preventScroll: true });
    }
    for (const each of values) this.#drawRow(this.#rows.get(each.name), each);
  }

  #row(name) {
    const parts = Object.fromEntries(["gauge", "level", "words", "tags"].map((part) => [part, h("span", { class: part })]));
    const open = h("button", { type: "button", class: "segment-row", "aria-controls": "segment-detail" }, h("span", { class: "clip", title: name }, name), parts.gauge, parts.level, parts.words, parts.tags);
    open.addEventListener("click", () => {
      [this.#chosen, this.#feature] = [this.#chosen === name ? null : name, ""];
      this.#draw();
    });
    return { ...parts, item: h("div", { role: "listitem" }, open), button: open };
  }

  #drawRow(row, segment) {
    const kind = this.#alerted.has(segment.name) || segment.level >= FURTHEST ? "page" : nearness(segment) >= NEAR ? "warn" : "muted";
    const moved = segment.moved.slice(0, 2);
    const words = moved.map((each) => `${each.name} ${each.before} → ${each.after}`).join("; ") || "nothing beyond chance";
    const told = segment.evidence && segment.evidence.nats >= 1 ? `evidence ${number(segment.evidence.nats, 2)} of ${number(segment.evidence.page_nats, 2)} nats` : "";
    const small = smallness(segment);
    const about = `${plural(segment.rows, "row")}, ${share(segment.share)} of all, ${share(segment.reference_share)} in the reference`;
    fill(row.gauge, meter(segment.level, kind));
    say(row.level, number(segment.level, 2));
    set(row.level, { class: `num level ${kind}` });
    put(row.words, moved.length ? moved.map((each, i) => [i ? "; " : "", h("span", {}, each.name), " ", h("span", {}, each.before), " → ", h("span", {}, each.after)]) : words);
    set(row.words, { class: segment.moved.length ? "words" : "words muted" });
    fill(row.tags, this.#alerted.has(segment.name) && h("span", { class: "tag warn" }, "in an alert"), h("span", {}, about), told && h("span", {}, told), small && h("span", { class: "chip" }, small));
    set(row.button, { "aria-expanded": String(this.#chosen === segment.name),
      "aria-label": [segment.name, `level ${number(segment.level, 2)} where 1 would page`, words, this.#alerted.has(segment.name) && "in an alert", about, told, small].filter(Boolean).join(", ") });
  }

  #drawDetail(segment) {
    if (!segment) {
      fill(this.#detail);
      return;
    }
    const features = segment.features.filter((each) => each.name !== this.#stream.segments.feature || each.level > 0)
      .sort((a, b) => b.level - a.level).slice(0, MOST_FEATURES);
    const said = new Map(segment.moved.map((each) => [each.name, `${each.before} → ${each.after}`]));
    const rows = features.map((each) => h("tr", { class: each.name === this.#feature ? "chosen" : null }, h("th", { scope: "row" }, each.name),
      h("td", { class: "cell-level", "data-label": "Level" }, meter(each.level, kindOf(each.level)), h("span", { class: `num ${kindOf(each.level)}` }, number(each.level, 2))),
      h("td", { "data-label": "Moved" }, said.get(each.name) || h("span", { class: "muted" }, "–")),
      h("td", { class: "num", "data-label": "Rank distance" }, number(each.wasserstein), h("span", { class: "muted" }, each.wasserstein_noise === null ? "" : ` chance ${number(each.wasserstein_noise, 2)}`)),
      h("td", { class: "num", "data-label": "Missing" }, beside(each.missing, each.missing_reference)),
      h("td", { class: "num", "data-label": "Unseen" }, beside(each.unseen, each.unseen_reference))));
    const columns = ["Feature", "Level", "Moved", "Rank distance", "Missing", "Unseen"];
    const answers = segment.predictions.slice(0, 12).map((each) => h("div", {}, h("dt", {}, each.class), h("dd", {}, h("b", { class: "num" }, share(each.share)),
      each.reference_share === null ? "" : h("span", { class: "muted" }, ` reference ${share(each.reference_share)}`))));
    fill(this.#detail, h("h3", {}, h("span", {}, this.#stream.segments.feature), " is ", h("span", {}, segment.name)),
      h("table", { class: "segment-features" }, h("caption", { class: "visually-hidden" }, `Features of the segment ${segment.name}, the furthest first`),
        h("thead", {}, h("tr", {}, columns.map((column) => h("th", { scope: "col" }, column)))), h("tbody", {}, rows)),
      answers.length > 0 && [h("h3", {}, "Answers"), h("dl", { class: "facts-row" }, answers)]);
  }
}

const kindOf = (level) => (level >= FURTHEST ? "page" : level >= NEAR ? "warn" : "muted");

/** Return how near a page a segment is, by its effect alone or by its part in the evidence. */
function nearness(segment) {
  return Math.max(segment.level, segment.evidence ? segment.evidence.nats / segment.evidence.page_nats : 0);
}

function smallness(segment) {
  if (!segment.rows) return "no rows in this window";
  if (segment.has_few_rows) return segment.evidence ? "few rows: only large changes show" : "few rows, and too small for evidence";
  return segment.evidence ? "" : "too small for evidence";
}

function beside(now, then) {
  return [share(now), then === null ? "" : h("span", { class: "muted" }, ` / ${share(then)}`)];
}

/** Return names, each set apart from the sentence that it stands in: one may be a word of it, or turn its order around. */
function listed(names) {
  const told = names.slice(0, 3).map((name) => h("b", {}, name));
  const more = names.length - told.length;
  if (more > 0) told.push(`${more} more`);
  return told.map((each, i) => [i === 0 ? "" : i === told.length - 1 ? " and " : ", ", each]);
}
