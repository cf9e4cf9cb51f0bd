// What the overview means: one place for sums and words, so that no two panels disagree.

const OVER = new Set(["completed", "rolled_back", "failed", "superseded"]);

/** Return whether a rollout is under way. */
export function isActive(rollout) {
  return Boolean(rollout) && !OVER.has(rollout.state);
}

/** Return the route's roles in the order of the flow: {version, variant, weight}. */
export function arms(route) {
  if (!route) return [];
  const canary = route.canary ? [{ version: route.canary.version, variant: "canary", weight: route.canary.weight }] : [];
  const shadows = route.shadow.map((each) => ({ version: each.version, variant: "shadow", weight: each.sample }));
  return [{ version: route.stable, variant: "stable", weight: route.stable_weight }, ...canary, ...shadows];
}

/** Return the rates of one version in one role; zeros where nothing came lately. */
export function rates(model, version, variant) {
  const none = { requests_per_s: 0, errors_per_s: 0, masked_per_s: 0, refused_per_s: 0, p50_ms: null, p99_ms: null };
  return model.traffic.find((each) => each.version === version && each.variant === variant) || none;
}

/** Return what clients get from a model: requests, errors and the slowest p99 over all versions that answer them. */
export function totals(model) {
  const seen = model.traffic.filter((each) => each.variant !== "shadow");
  const sum = (name) => seen.reduce((total, each) => total + each[name], 0);
  const answering = seen.filter((each) => each.p99_ms !== null && each.requests_per_s > 0);
  return {
    requests: sum("requests_per_s"),
    errors: sum("errors_per_s"),
    masked: sum("masked_per_s"),
    refused: sum("refused_per_s"),
    p99: answering.length ? Math.max(...answering.map((each) => each.p99_ms)) : null,
  };
}

/** Return the share of a version's requests that it failed, those that stable answered instead included. */
export function failing(rate) {
  const asked = rate.requests_per_s + rate.masked_per_s;
  return asked > 0 ? (rate.errors_per_s + rate.masked_per_s) / asked : 0;
}

/** Return the alerts of a model, those that are open first. */
export function alertsOf(overview, model) {
  return overview.alerts.filter((alert) => alert.model === model);
}

/** Return whether an alert still asks for somebody. */
export function isOpen(alert) {
  return alert.state !== "resolved";
}

/** Return {word, kind} of how a model is: what one sees from across the room. */
export function condition(model, alerts) {
  const open = alerts.filter(isOpen);
  if (!model.route) return { word: "No route", kind: "idle" };
  if (model.route.stop) return { word: model.route.stop.version ? "Safe state" : "Stopped", kind: "page" };
  if (open.some((alert) => alert.severity === "page" && alert.state === "firing")) return { word: "Page", kind: "page" };
  if (open.length) return { word: "Warning", kind: "warn" };
  return { word: "Healthy", kind: "ok" };
}

/** Return how far a model's serving versions have moved: the worst of them. */
export function worstDrift(model) {
  const seen = model.drift.filter((each) => each.variant !== "shadow");
  return seen.reduce((worst, each) => (!worst || each.level > worst.level ? each : worst), null);
}

/** Return a rollout in a few words. */
export function rolloutWords(rollout) {
  const steps = rollout.plan.steps;
  const stage = rollout.stage === "canary" ? `step ${rollout.step + 1} of ${steps.length}, ${steps[rollout.step]} %` : rollout.stage;
  return isActive(rollout) ? `${rollout.state} · ${stage}` : rollout.state.replace("_", " ");
}
