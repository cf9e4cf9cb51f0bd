// Small charts in SVG. Every one carries its meaning as a label too, for those who hear the page.

import { h, s } from "./dom.js";
import { clock, number, rate } from "./format.js";

const round = (value) => Math.round(value * 100) / 100;

/** Return the points of a line over a box; a null breaks it. */
function path(values, width, height, top, slots = values.length) {
  const step = width / Math.max(1, slots - 1);
  const first = slots - values.length;
  let pen = "M";
  return values.map((value, i) => {
    if (value === null || value === undefined) {
      pen = "M";
      return "";
    }
    const y = height - (Math.min(value, top) / top) * height;
    const point = `${pen}${round((first + i) * step)} ${round(y)}`;
    pen = "L";
    return point;
  }).join("");
}

/** Return a line without axes: the course of a rate, its errors below in red. */
export function sparkline(values, errors, label, slots = 150) {
  const [width, height] = [160, 32];
  const top = Math.max(1e-9, ...values) * 1.15;
  const line = path(values, width, height, top, slots);
  const first = round((slots - values.length) * (width / (slots - 1)));
  const area = values.length ? `${line}L${width} ${height}L${first} ${height}Z` : "";
  return s("svg", { class: "spark", viewBox: `0 -1 ${width} ${height + 2}`, preserveAspectRatio: "none", role: "img", "aria-label": label },
    s("path", { class: "spark-area", d: area }), s("path", { class: "spark-line", d: line }),
    errors.some((value) => value > 0) && s("path", { class: "spark-errors", d: path(errors, width, height, top, slots) }));
}

/** Return a step between grid lines such that a chart has about three. */
function gridStep(top) {
  const raw = top / 3;
  const power = 10 ** Math.floor(Math.log10(raw));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= raw);
}

/**
 * Return a chart of lines over time, with a legend that tells the values under the pointer.
 * series: [{name, kind, values}], kind names the colour; at: Unix seconds; limit: {value, name} draws a level.
 */
export function lines({ series, at, label, unit = "", limit = null, least = 0, tell = rate }) {
  const [width, height, left, bottom] = [640, 150, 38, 18];
  const [inner, high] = [width - left - 4, height - bottom - 6];
  const known = series.flatMap((each) => each.values).filter((value) => value !== null && value !== undefined);
  const top = Math.max(least, 1e-9, limit ? limit.value * 1.1 : 0, ...known) * 1.05;
  const step = gridStep(top);
  const y = (value) => 6 + high - (value / top) * high;
  const grid = [];
  for (let value = 0; value <= top; value += step) {
    grid.push(s("line", { class: "grid", x1: left, x2: width - 4, y1: y(value), y2: y(value) }),
      s("text", { class: "tick", x: left - 6, y: y(value) + 3.5, "text-anchor": "end" }, number(value)));
  }
  const times = at.length > 1 ? [0, Math.floor((at.length - 1) / 2), at.length - 1] : [];
  const ticks = times.map((i, n) => s("text", {
    class: "tick", y: height - 3, x: left + (inner * i) / (at.length - 1), "text-anchor": ["start", "middle", "end"][n],
  }, clock(at[i])));
  const drawn = series.map((each) => s("path", {
    class: `line ${each.kind}`, transform: `translate(${left} 6)`, d: path(each.values, inner, high, top, at.length),
  }));
  const level = limit && [
    s("line", { class: "limit", x1: left, x2: width - 4, y1: y(limit.value), y2: y(limit.value) }),
    s("text", { class: "tick limit-name", x: width - 6, y: y(limit.value) - 4, "text-anchor": "end" }, limit.name)];
  const cursor = s("line", { class: "cursor", y1: 6, y2: 6 + high, x1: -9, x2: -9 });
  const svg = s("svg", { class: "lines", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label },
    grid, ticks, level, drawn, cursor);
  const when = h("span", { class: "muted" });
  const readings = series.map(() => h("b", { class: "num" }));
  const show = (i) => {
    when.textContent = i === null ? "" : clock(at[i]);
    series.forEach((each, n) => {
      const value = each.values[(i ?? at.length - 1) - (at.length - each.values.length)];
      readings[n].textContent = value === null || value === undefined ? "–" : `${tell(value)}${unit}`;
    });
  };
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * width - left;
    const i = Math.max(0, Math.min(at.length - 1, Math.round((x / inner) * (at.length - 1))));
    for (const end of ["x1", "x2"]) cursor.setAttribute(end, left + (inner * i) / Math.max(1, at.length - 1));
    if (at.length) show(i);
  });
  svg.addEventListener("pointerleave", () => {
    for (const end of ["x1", "x2"]) cursor.setAttribute(end, -9);
    show(null);
  });
  show(null);
  const legend = h("div", { class: "legend" },
    series.map((each, n) => h("span", {}, h("i", { class: `key ${each.kind}`, "aria-hidden": "true" }), each.name, " ", readings[n])), when);
  return h("div", { class: "chart" }, legend, svg);
}

/** Return two histograms over the same cells, shares of each: the reference as an outline, the current as bars. */
export function histogram({ labels, reference, current, label }) {
  const [width, height, bottom] = [640, 170, 34];
  const high = height - bottom - 6;
  const shares = (counts) => {
    const total = Math.max(1, counts.reduce((sum, count) => sum + count, 0));
    return counts.map((count) => count / total);
  };
  const [now, then] = [shares(current), reference ? shares(reference) : null];
  const kept = labels.map((_, i) => i).filter((i) => now[i] > 0 || (then && then[i] > 0) || (i > 0 && i < labels.length - 3));
  const top = Math.max(...kept.flatMap((i) => [now[i], then ? then[i] : 0]), 1e-9) * 1.06;
  const cell = width / Math.max(1, kept.length);
  const bars = kept.map((i, n) => s("rect", {
    class: "bar", x: n * cell + 1.5, width: Math.max(1, cell - 3), y: 6 + high - (now[i] / top) * high, height: (now[i] / top) * high,
  }, s("title", {}, `${labels[i]}: now ${share(now[i])}${then ? `, reference ${share(then[i])}` : ""}`)));
  const outline = then && s("path", {
    class: "outline",
    d: "M0 " + (6 + high) + kept.map((i, n) => {
      const y = round(6 + high - (then[i] / top) * high);
      return `L${round(n * cell)} ${y}L${round((n + 1) * cell)} ${y}`;
    }).join("") + `L${width} ${6 + high}`,
  });
  const every = Math.max(1, Math.ceil((kept.length * 78) / width));
  const names = kept.map((i, n) => n % every === 0 && s("text", {
    class: "tick", x: (n + 0.5) * cell, y: height - 16, "text-anchor": "middle",
  }, shortened(labels[i], Math.floor((cell * every) / 6)), s("title", {}, labels[i])));
  return s("svg", { class: "histogram", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label },
    s("line", { class: "grid", x1: 0, x2: width, y1: 6 + high, y2: 6 + high }), bars, outline, names);
}

const share = (ratio) => `${number(100 * ratio)} %`;

function shortened(label, most) {
  return label.length <= most ? label : `${label.slice(0, Math.max(1, most - 1))}…`;
}

/** Return a level as a bar, with a mark in its middle where the effect alone would page. */
export function meter(level, kind) {
  return s("svg", { class: "meter", viewBox: "0 0 60 6", preserveAspectRatio: "none", "aria-hidden": "true" },
    s("rect", { class: "meter-track", width: 60, height: 6, rx: 3 }),
    s("rect", { class: `meter-fill ${kind}`, width: Math.max(2, Math.min(60, level * 30)), height: 6, rx: 3 }),
    s("line", { class: "meter-mark", x1: 30, x2: 30, y1: 0, y2: 6 }));
}

const LEVELS = [0.05, 0.25, 0.5, 0.75, 1, 1.5];

/** Return the class of a level: how hot its cell is. */
export function heat(level) {
  return level === null || level === undefined ? "heat-none" : `heat-${LEVELS.filter((bound) => level >= bound).length}`;
}

/** Return one row of a heat map: a cell for each stretch of time, the worst of what falls into it. */
export function heatRow(levels, cells) {
  const per = Math.max(1, Math.ceil(levels.length / cells));
  const count = Math.ceil(levels.length / per);
  const strip = [];
  for (let c = 0; c < count; c += 1) {
    const part = levels.slice(Math.max(0, levels.length - (count - c) * per), levels.length - (count - c - 1) * per);
    const found = part.filter((level) => level !== null);
    strip.push(s("rect", { class: heat(found.length ? Math.max(...found) : null), x: cells - count + c, width: 0.96, height: 1 }));
  }
  return s("svg", { class: "heat", viewBox: `0 0 ${cells} 1`, preserveAspectRatio: "none", "aria-hidden": "true" }, strip);
}
