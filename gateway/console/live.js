// The overview, live: by server-sent events, by asking where all streams are taken, from the routes while the watch is away.

import { get, resume, session } from "./api.js";

const POLL_MS = 5000;
const HIDDEN_MS = 60000;
const STEPS = 150;
const STEP_S = 2;

export class Live extends EventTarget {
  overview = null;
  state = "connecting";
  traffic = new Map();
  #source = null;
  #timer = 0;
  #hidden = 0;
  #sampledAt = 0;
  #isOpen = false;

  /** Begin; `overview` and `state` events follow. */
  async open() {
    this.#isOpen = true;
    document.addEventListener("visibilitychange", this.#onVisibility);
    window.addEventListener("pagehide", this.#onPageHide);
    window.addEventListener("pageshow", this.#onPageShow);
    await get("/traffic").then((found) => this.#remember(found)).catch(() => {});
    if (this.#isOpen && !this.#source) this.#connect();
  }

  /** End, and forget what was seen. */
  close() {
    this.#isOpen = false;
    document.removeEventListener("visibilitychange", this.#onVisibility);
    window.removeEventListener("pagehide", this.#onPageHide);
    window.removeEventListener("pageshow", this.#onPageShow);
    clearTimeout(this.#hidden);
    this.#disconnect();
    this.overview = null;
    this.traffic.clear();
  }

  /** Return the remembered steps of a stream: {requests, errors}, the oldest first. */
  steps(model, version, variant) {
    return this.traffic.get(`${model}\n${version}\n${variant}`) || { requests: [], errors: [] };
  }

  #connect() {
    this.#disconnect();
    const source = new EventSource("/admin/v1/events");
    this.#source = source;
    source.addEventListener("overview", (event) => this.#take(JSON.parse(event.data), "live"));
    source.addEventListener("away", () => this.#withoutWatch());
    source.addEventListener("bye", (event) => {
      if (JSON.parse(event.data) === "session") session.dispatchEvent(new Event("ended"));
    });
    source.addEventListener("error", () => this.#onError(source));
  }

  #disconnect() {
    this.#source?.close();
    this.#source = null;
    clearTimeout(this.#timer);
    this.#timer = 0;
  }

  async #onError(source) {
    if (source !== this.#source) return;
    this.#tell("reconnecting");
    if (source.readyState !== EventSource.CLOSED) return;
    const found = await resume().catch(() => undefined);
    if (!this.#isOpen || source !== this.#source) return;
    if (found === null) session.dispatchEvent(new Event("ended"));
    else this.#poll();
  }

  /** Ask now and then where no stream is to be had, and try for one again in between. */
  async #poll() {
    const overview = await get("/overview").catch(() => null);
    if (!this.#isOpen) return;
    if (overview) this.#take(overview, "polling");
    this.#timer = setTimeout(() => (overview ? this.#poll() : this.#connect()), POLL_MS);
  }

  /** Show what the store says: routes can be changed while the watch is away. */
  async #withoutWatch() {
    this.#tell("away");
    const found = await get("/models").catch(() => null);
    if (!this.#isOpen || !found || this.state !== "away") return;
    const models = found.models.map((model) => ({ ...model, rollout: null, traffic: [], drift: [] }));
    this.#take({ at: Date.now() / 1000, store_is_up: true, models, alerts: this.overview?.alerts ?? [] }, "away");
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.state === "away" && this.#withoutWatch(), POLL_MS);
  }

  #take(overview, state) {
    this.overview = overview;
    if (state !== "away") this.#sample(overview);
    this.#tell(state);
    this.dispatchEvent(new Event("overview"));
  }

  #tell(state) {
    if (state !== "away") clearTimeout(this.#timer);
    if (state === this.state) return;
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }

  #remember(found) {
    for (const stream of found.streams) {
      const steps = { requests: stream.requests_per_s.slice(-STEPS), errors: stream.errors_per_s.slice(-STEPS) };
      this.traffic.set(`${stream.model}\n${stream.version}\n${stream.variant}`, steps);
    }
  }

  #sample(overview) {
    if (overview.at - this.#sampledAt < STEP_S) return;
    this.#sampledAt = overview.at;
    for (const model of overview.models) {
      for (const stream of model.traffic) {
        const key = `${model.model}\n${stream.version}\n${stream.variant}`;
        const steps = this.traffic.get(key) || { requests: [], errors: [] };
        steps.requests.push(stream.requests_per_s);
        steps.errors.push(stream.errors_per_s + stream.masked_per_s);
        if (steps.requests.length > STEPS) {
          steps.requests.shift();
          steps.errors.shift();
        }
        this.traffic.set(key, steps);
      }
    }
  }

  // A page that the browser keeps for its back button would keep its stream too, one of six connections to this host.
  #onPageHide = () => this.#disconnect();

  #onPageShow = (event) => {
    if (event.persisted) this.#connect();
  };

  #onVisibility = () => {
    clearTimeout(this.#hidden);
    if (document.hidden) {
      this.#hidden = setTimeout(() => this.#disconnect(), HIDDEN_MS);
    } else if (!this.#source) {
      this.#connect();
    }
  };
}
