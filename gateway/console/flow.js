// The river of one model: clients on the left, the versions that answer on the right, as wide as what flows.

import { h, s, say, set } from "./dom.js";
import { ms, percent, rate, share } from "./format.js";
import { arms, failing, rates, totals } from "./state.js";

const WIDE = { width: 900, box: [230, 74], gap: 18, client: [150, 74] };
const NARROW = { width: 340, box: [250, 74], gap: 14, client: [150, 56] };

export class Flow {
  #arms = [];
  #parts = new Map();
  #layout = WIDE;
  #key = "";
  #model = null;
  node = h("div", { class: "flow" });
  #observer = new ResizeObserver(() => this.#model && this.update(this.#model));

  constructor() {
    this.#observer.observe(this.node);
  }

  /** Show a model's route and rates. */
  update(model) {
    this.#model = model;
    this.#layout = this.node.clientWidth && this.node.clientWidth < 620 ? NARROW : WIDE;
    this.#arms = arms(model.route);
    const stop = model.route?.stop;
    const key = JSON.stringify([this.#layout.width, this.#arms.map((arm) => [arm.version, arm.variant]), stop?.version ?? null, Boolean(stop)]);
    if (key !== this.#key) {
      this.#key = key;
      this.#build(stop);
    }
    this.#fill(model, stop);
  }

  close() {
    this.#observer.disconnect();
  }

  #build(stop) {
    const { width, box, gap, client } = this.#layout;
    const isWide = this.#layout === WIDE;
    const count = Math.max(1, this.#arms.length);
    const top = isWide ? 8 : client[1] + 44;
    const height = top + count * box[1] + (count - 1) * gap + 8;
    const clientAt = isWide ? [0, Math.min(height / 2, top + box[1]) - client[1] / 2] : [0, 4];
    const x = width - box[0] - 1;
    this.#parts.clear();
    const edges = [];
    const boxes = this.#arms.map((arm, i) => {
      const y = top + i * (box[1] + gap);
      const stableY = top + box[1] / 2;
      const edge = s("path", { class: `edge ${arm.variant}`, d: this.#edge(arm, i, x, y + box[1] / 2, stableY, clientAt, client), fill: "none" });
      const drift = s("path", { class: `drift-dash ${arm.variant}`, d: edge.getAttribute("d"), fill: "none" });
      edges.push(edge, drift);
      const text = (dy, kind) => s("text", { class: kind, x: x + 16, y: y + dy });
      const parts = { edge, drift, name: text(24, "node-name"), rate: text(44, "node-rate"), more: text(62, "node-more") };
      this.#parts.set(`${arm.variant}\n${arm.version}`, parts);
      return s("g", { class: `node ${arm.variant}` }, s("rect", { class: "node-box", x, y, width: box[0], height: box[1], rx: 8 }),
        s("rect", { class: `fill ${arm.variant}`, x, y, width: 5, height: box[1], rx: 2.5 }), parts.name, parts.rate, parts.more);
    });
    const middle = clientAt[0] + client[0] / 2;
    const total = { name: s("text", { class: "node-name", x: middle, y: clientAt[1] + 24, "text-anchor": "middle" }, "Clients"),
      rate: s("text", { class: "node-rate", x: middle, y: clientAt[1] + 43, "text-anchor": "middle" }),
      more: s("text", { class: "node-more", x: middle, y: clientAt[1] + 61, "text-anchor": "middle" }) };
    this.#parts.set("clients", total);
    const clients = s("g", { class: "node" }, s("rect", { class: "node-box", x: clientAt[0] + 1, y: clientAt[1], width: client[0], height: client[1], rx: 8 }),
      total.name, total.rate, isWide && total.more);
    this.svg = s("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", class: stop ? "stopped" : "" }, edges, clients, boxes);
    this.node.replaceChildren(this.svg);
  }

  #edge(arm, i, x, y, stableY, [cx, cy], client) {
    if (arm.variant === "shadow") {
      const bend = this.#layout === WIDE ? 46 + 16 * i : 30;
      return `M${x} ${stableY + 22}C${x - bend} ${stableY + 40} ${x - bend} ${y} ${x} ${y}`;
    }
    if (this.#layout === WIDE) {
      const [fromX, fromY] = [cx + client[0] + 1, cy + client[1] / 2];
      return `M${fromX} ${fromY}C${fromX + 190} ${fromY} ${x - 230} ${y} ${x} ${y}`;
    }
    const fromX = cx + (i === 0 ? 58 : 26);
    return `M${fromX} ${cy + client[1]}C${fromX} ${y - 24} ${fromX} ${y} ${x} ${y}`;
  }

  #fill(model, stop) {
    const total = totals(model);
    const clients = this.#parts.get("clients");
    if (!clients) return;
    say(clients.rate, `${rate(total.requests)} /s`);
    say(clients.more, total.refused > 0 ? `${rate(total.refused)} /s refused` : "");
    const most = Math.max(1e-9, ...this.#arms.map((arm) => rates(model, arm.version, arm.variant).requests_per_s));
    const words = [];
    for (const arm of this.#arms) {
      const parts = this.#parts.get(`${arm.variant}\n${arm.version}`);
      const found = rates(model, arm.version, arm.variant);
      const asked = found.requests_per_s + found.masked_per_s;
      const flows = !stop || stop.version === arm.version;
      const width = asked > 0 ? 2 + 20 * (asked / most) : 1.5;
      set(parts.edge, { "stroke-width": width.toFixed(1), class: `edge ${arm.variant}${flows ? "" : " shut"}` });
      set(parts.drift, { class: `drift-dash ${arm.variant}${asked > 0 ? "" : " still"}` });
      say(parts.name, `${arm.variant} · ${arm.version}`);
      say(parts.rate, `${rate(asked)} /s${arm.variant === "shadow" ? ` · repeats ${percent(arm.weight)}` : ` · weight ${percent(arm.weight)}`}`);
      const failed = failing(found);
      const masked = found.masked_per_s > 0 ? ` (${rate(found.masked_per_s)} /s answered by stable)` : "";
      const latency = found.p50_ms === null ? "" : `p50 ${ms(found.p50_ms)} · p99 ${ms(found.p99_ms)}`;
      const quiet = asked === 0 ? "no requests" : arm.variant === "shadow" ? "compared, never sent" : "";
      const text = failed > 0 ? `errors ${share(failed)}${masked}` : latency || quiet;
      say(parts.more, text);
      set(parts.more, { class: failed > 0 ? "node-more page" : "node-more" });
      words.push(`${arm.variant} version ${arm.version}: ${rate(asked)} requests per second, ${text}`);
    }
    const state = stop ? `Stopped${stop.version ? `, version ${stop.version} answers` : ", every request is refused"}. ` : "";
    set(this.svg, { "aria-label": `${state}${rate(total.requests)} requests per second. ${words.join(". ")}.` });
  }
}
