// What whoever is signed in may do. The gateway decides; this keeps the page from offering what it would refuse.

let subject = "";
let roles = [];

/** Remember who is signed in. */
export function hold(session) {
  ({ subject, roles } = session);
}

/** Return who is signed in, and the role that covers most. */
export function who() {
  return `${subject} · ${roles.at(-1) || "no role"}`;
}

/** Return whether they may do what this role may. */
export function may(role) {
  return roles.includes(role);
}

/** Return why they may not. */
export function refusal(role) {
  return `Needs the role ${role}; you are signed in as ${who()}.`;
}
