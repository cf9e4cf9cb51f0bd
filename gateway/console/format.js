// Numbers and times as people read them.

/** Return a rate: 1240 -> "1,240", 12.34 -> "12.3", 0.5 -> "0.5". */
export function rate(perSecond) {
  if (perSecond === null || perSecond === undefined) return "–";
  if (perSecond >= 100) return Math.round(perSecond).toLocaleString("en");
  if (perSecond >= 10) return perSecond.toFixed(1);
  return perSecond === 0 ? "0" : perSecond.toFixed(2).replace(/0$/, "");
}

/** Return a share between 0 and 1 as a percentage. */
export function share(ratio) {
  return ratio === null || ratio === undefined ? "–" : percent(100 * ratio);
}

/** Return a percentage with as many digits as it deserves. */
export function percent(value) {
  if (value === 0 || value === 100) return `${value} %`;
  return `${Number(value >= 10 ? value.toFixed(1) : value.toPrecision(2)).toLocaleString("en")} %`;
}

/** Return milliseconds. */
export function ms(value) {
  if (value === null || value === undefined) return "–";
  return value >= 100 ? `${Math.round(value)} ms` : `${Number(value.toPrecision(2))} ms`;
}

/** Return a plain number in at most three digits. */
export function number(value, digits = 3) {
  return value === null || value === undefined ? "–" : Number(value.toPrecision(digits)).toLocaleString("en");
}

/** Return how long ago a Unix time is, in the largest unit. */
export function ago(unixS) {
  const seconds = Math.max(0, Date.now() / 1000 - unixS);
  return `${lasting(seconds)} ago`;
}

/** Return a duration in its largest unit. */
export function lasting(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

/** Return the time of day of a Unix time. */
export function clock(unixS) {
  return new Date(unixS * 1000).toLocaleTimeString("en-GB");
}

/** Return date and time of an RFC 3339 text or a Unix time. */
export function moment(when) {
  const date = typeof when === "number" ? new Date(when * 1000) : new Date(when);
  return `${date.toLocaleDateString("sv-SE")} ${date.toLocaleTimeString("en-GB")}`;
}

/** Return one word or its plural. */
export function plural(count, word, many = `${word}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? word : many}`;
}
