// Elements from plain values. Text only ever becomes text nodes, and controls in it are written out: nothing here reads
// markup, and no name can hide or turn around what stands beside it.

import { may, refusal } from "./roles.js";

const SVG = "http://www.w3.org/2000/svg";
const SPOKEN = new Set(["title", "aria-label", "placeholder"]);
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** Return a value as text with control, format and bidirectional characters written out, as `weir` does in a terminal. */
export function printable(value) {
  return String(value).replace(INVISIBLE, (character) => `\\u{${character.codePointAt(0).toString(16)}}`);
}

function attribute(name, value) {
  return value === true ? "" : SPOKEN.has(name) ? printable(value) : String(value);
}

function apply(node, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [kind, listener] of Object.entries(value)) node.addEventListener(kind, listener);
    else if (name === "value") node.value = value;
    else node.setAttribute(name, attribute(name, value));
  }
  node.append(...flat(children));
  return node;
}

function flat(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : document.createTextNode(printable(child))));
}

/** Return an HTML element; `props` are attributes, and `on` its listeners. */
export function h(tag, props = {}, ...children) {
  return apply(document.createElement(tag), props, children);
}

/** Return an SVG element. */
export function s(tag, props = {}, ...children) {
  return apply(document.createElementNS(SVG, tag), props, children);
}

/** Put these children in place of all that a node has. */
export function fill(node, ...children) {
  node.replaceChildren(...flat(children));
  return node;
}

/** Set a node's text where it is another one, so that nothing is announced or selected in vain. */
export function say(node, text) {
  const told = printable(text);
  if (node.textContent !== told) node.textContent = told;
  return node;
}

/** Set a node's children where their text is another one. */
export function put(node, ...children) {
  const fresh = h("span", {}, children);
  if (node.textContent !== fresh.textContent) node.replaceChildren(...fresh.childNodes);
  return node;
}

/** Set attributes of a node. */
export function set(node, props) {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) node.removeAttribute(name);
    else if (node.getAttribute(name) !== attribute(name, value)) node.setAttribute(name, attribute(name, value));
  }
  return node;
}

/** Return a button; it is disabled, and says why, where `needs` is a role that whoever is signed in has not. */
export function button(label, act, { needs, ...props } = {}) {
  const denied = needs && !may(needs) ? { disabled: true, title: refusal(needs) } : {};
  return h("button", { type: "button", ...props, ...denied, on: { click: act } }, label);
}

/** Return a titled section, with what stands at the right of its title. */
export function panel(title, { id, aside, wide } = {}, ...children) {
  const heading = h("h2", { id: `${id}-title` }, title);
  const head = h("div", { class: "panel-head" }, heading, aside);
  return h("section", { class: wide ? "panel wide" : "panel", id, "aria-labelledby": `${id}-title` }, head, ...children);
}
