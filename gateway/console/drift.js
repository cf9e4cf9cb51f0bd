// Drift: when each feature moved and how far, and what it looks like now beside what it was.

import { at, get } from "./api.js";
import { heat, heatRow, histogram, lines } from "./charts.js";
import { fill, h, panel, s, say, set } from "./dom.js";
import { clock, lasting, number, plural, share } from "./format.js";
import { SegmentPanel } from "./segments.js";

const EVERY_MS = 5000;
const TRACKS = [["fine", "Last half hour"], ["coarse", "Last day"]];

export class DriftPanels {
  #name;
  #askedAt = 0;
  #isAsking = false;
  #report = null;
  #history = null;
  #stream = "";
  #track = "fine";
  #feature = "";
  #rows = new Map();
  #segments = new SegmentPanel();
  #streams = h("select", { id: "drift-stream" });
  #tracks = h("select", { id: "drift-track" }, TRACKS.map(([value, label]) => h("option", { value }, label)));
  #map = h("div", { class: "heat-map", role: "list" });
  #note = h("p", { class: "muted small" });
  #detail = h("div", { class: "detail", "aria-live": "polite" });
  #confidence = h("div", {});
  #scale = h("div", { class: "scale", "aria-hidden": "true" });

  constructor(name) {
    this.#name = name;
    this.#streams.addEventListener("change", () => this.#choose({ stream: this.#streams.value }));
    this.#tracks.addEventListener("change", () => this.#choose({ track: this.#tracks.value }));
    const aside = h("div", { class: "choices" }, h("label", { class: "visually-hidden", for: "drift-stream" }, "Version"), this.#streams,
      h("label", { class: "visually-hidden", for: "drift-track" }, "Time"), this.#tracks);
    fill(this.#scale, h("span", {}, "unmoved"), s("svg", { viewBox: "0 0 7 1", preserveAspectRatio: "none" },
      [0, 0.1, 0.3, 0.6, 0.8, 1.2, 2].map((level, i) => s("rect", { class: heat(level), x: i, width: 0.94, height: 1 }))), h("span", {}, "page level and beyond"));
    this.map = panel("Drift by feature", { id: "drift", aside, wide: true }, this.#map, this.#scale, this.#note, this.#detail);
    this.segments = this.#segments.node;
    this.confidence = panel("Confidence", { id: "confidence" }, this.#confidence);
  }

  /** Ask again when it is time, and draw. */
  async update() {
    if (this.#isAsking || Date.now() - this.#askedAt < EVERY_MS) return;
    this.#isAsking = true;
    try {
      const path = ["models", this.#name, "drift"];
      [this.#report, this.#history] = await Promise.all([get(at(...path)), get(at(...path, "history"))]);
      this.#draw();
    } catch (problem) {
      say(this.#note, problem.kind === "model-unknown" ? "The watch has seen no row of this model yet." : problem.message);
    } finally {
      this.#isAsking = false;
      this.#askedAt = Date.now();
    }
  }

  /** Go to what an alert says of a segment of a stream. */
  lead({ stream, driver }) {
    this.#stream = stream;
    this.#segments.lead({ stream, driver });
    if (this.#report) this.#draw();
  }

  #choose({ stream = this.#stream, track = this.#track }) {
    [this.#stream, this.#track] = [stream, track];
    this.#draw();
  }

  #draw() {
    const all = this.#report.streams.filter((stream) => stream.variant !== "pinned");
    const order = ["stable", "canary", "shadow"];
    all.sort((a, b) => order.indexOf(a.variant) - order.indexOf(b.variant) || b.last_row_at - a.last_row_at);
    const names = all.map((stream) => `${stream.variant} ${stream.version}`);
    if (this.#streams.dataset.names !== names.join("\n")) {
      this.#streams.dataset.names = names.join("\n");
      fill(this.#streams, names.map((name) => h("option", { value: name }, name)));
    }
    if (!names.includes(this.#stream)) this.#stream = names[0] || "";
    this.#streams.value = this.#stream;
    const stream = all[names.indexOf(this.#stream)];
    const past = this.#history.streams.find((each) => `${each.variant} ${each.version}` === this.#stream);
    this.#drawMap(stream, past?.[this.#track]);
    this.#drawDetail(stream);
    this.#segments.update(stream, this.#report.alerts);
    this.#drawConfidence(stream, past?.[this.#track]);
  }

  #drawMap(stream, track) {
    const known = stream?.features.some((feature) => feature.reference_counts !== null);
    if (!stream || !track) {
      say(this.#note, "No window has been judged yet.");
      fill(this.#map);
      this.#rows.clear();
      return;
    }
    const most = this.#map.clientWidth && this.#map.clientWidth < 560 ? 30 : 72;
    const cells = Math.max(12, Math.min(most, track.at.length));
    const names = track.features.map((feature) => feature.name);
    if (names.join("\n") !== [...this.#rows.keys()].join("\n")) {
      this.#rows.clear();
      for (const name of names) this.#rows.set(name, this.#row(name));
      fill(this.#map, [...this.#rows.values()].map((row) => row.item));
    }
    for (const { name, levels } of track.features) {
      const row = this.#rows.get(name);
      const level = levels.at(-1);
      fill(row.strip, heatRow(levels, cells));
      say(row.level, level === null ? "–" : number(level, 2));
      set(row.level, { class: `num ${level >= 1 ? "page" : level >= 0.5 ? "warn" : "muted"}` });
      set(row.button, { "aria-label": `${name}, level ${number(level, 2)} where 1 would page`, "aria-expanded": String(this.#feature === name) });
    }
    const from = track.at.length ? `from ${clock(track.at[0])}, ${lasting(track.span_s)} a step` : "";
    const rows = `${plural(stream.rows, "row")} in the newest window`;
    say(this.#note, known ? `${from} · ${rows} · 1 is the level at which the effect alone would page` : `${rows}. This version has no reference profile, so nothing is compared: run weir profile.`);
  }

  #row(name) {
    const strip = h("span", { class: "strip" });
    const level = h("span", { class: "num" });
    const open = h("button", { type: "button", class: "heat-row" }, h("span", { class: "clip" }, name), strip, level);
    open.addEventListener("click", () => {
      this.#feature = this.#feature === name ? "" : name;
      this.#draw();
    });
    return { item: h("div", { role: "listitem" }, open), button: open, strip, level };
  }

  #drawDetail(stream) {
    const feature = stream?.features.find((each) => each.name === this.#feature);
    if (!feature) {
      fill(this.#detail);
      return;
    }
    const facts = [["Rank distance", number(feature.wasserstein), feature.wasserstein_noise], ["PSI", number(feature.psi), feature.psi_band],
      ["Jensen–Shannon", number(feature.jensen_shannon), feature.jensen_shannon_band], ["KS", number(feature.ks), feature.ks_band]]
      .map(([name, value, band]) => h("div", {}, h("dt", {}, name), h("dd", {}, h("b", { class: "num" }, value), band === null || band === undefined ? "" : h("span", { class: "muted" }, ` chance ${number(band, 2)}`))));
    const shares = [["Missing", feature.missing, feature.missing_reference], ["Unseen", feature.unseen, feature.unseen_reference]]
      .map(([name, now, then]) => h("div", {}, h("dt", {}, name), h("dd", {}, h("b", { class: "num" }, share(now)), then === null ? "" : h("span", { class: "muted" }, ` reference ${share(then)}`))));
    fill(this.#detail, h("h3", {}, feature.name),
      h("div", { class: "legend" }, h("span", {}, h("i", { class: "key bar" }), "now"), feature.reference_counts && h("span", {}, h("i", { class: "key outline" }), "reference")),
      histogram({ labels: feature.labels, reference: feature.reference_counts, current: feature.counts, label: `${feature.name}, now and in the reference` }),
      h("dl", { class: "facts-row" }, facts, shares));
  }

  #drawConfidence(stream, track) {
    const found = stream?.confidence;
    const series = track && track.collapse_index.some((value) => value !== null)
      ? [{ name: "collapse index", kind: "page", values: track.collapse_index }] : [];
    for (const each of track?.evidence ?? []) {
      if (each.cause === "confidence") series.push({ name: "evidence, in units of its page level", kind: "canary", values: each.ratios });
    }
    const numbers = found && [["Collapse index", number(found.collapse_index, 2)], ["beyond the mix", number(found.collapse_beyond_mix, 2)],
      ["Mean margin", `${number(found.margin, 2)}${found.margin_reference === null ? "" : ` / ${number(found.margin_reference, 2)}`}`],
      ["Information", `${number(found.information_nats, 2)}${found.information_reference_nats === null ? "" : ` / ${number(found.information_reference_nats, 2)}`} nats`],
      ["Above 0.999", `${share(found.saturated)}`]]
      .map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, h("b", { class: "num" }, value))));
    const classes = (stream?.predictions ?? []).slice(0, 12).map((each) => h("li", {}, h("span", { class: "clip" }, each.class), classBar(each),
      h("span", { class: "num" }, share(each.share)), h("span", { class: "muted num" }, each.reference_share === null ? "" : share(each.reference_share))));
    fill(this.#confidence,
      series.length > 0 && lines({ series, at: track.at, label: "Collapse index over time", least: 1, tell: (value) => number(value, 2), limit: { value: 1, name: "answers carry nothing" } }),
      numbers && h("dl", { class: "facts-row" }, numbers), found?.modes.length > 0 && h("p", { class: "page small" }, found.modes.join(", ")),
      classes.length > 0 && h("div", {}, h("h3", {}, "Answers"), h("ul", { class: "classes" }, classes)),
      !found && !classes.length && h("p", { class: "muted" }, stream?.value ? "A regression: its answer is compared like a feature." : "Nothing to show yet."));
  }
}

function classBar(each) {
  const mark = each.reference_share === null ? null : s("line", { class: "limit", x1: 100 * each.reference_share, x2: 100 * each.reference_share, y1: 0, y2: 8 });
  return s("svg", { class: "class-bar", viewBox: "0 0 100 8", preserveAspectRatio: "none", role: "img", "aria-label": `${share(each.share)}, reference ${share(each.reference_share)}` },
    s("rect", { class: "meter-track", width: 100, height: 8 }), s("rect", { class: "fill stable", width: 100 * each.share, height: 8 }), mark);
}
