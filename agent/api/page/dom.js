// SPDX-License-Identifier: Apache-2.0
// Elements without markup text: everything shown is set as text, so nothing that came over the
// network can become markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") {
      node.handlers = value;
      for (const event of Object.keys(value)) node.addEventListener(event, (e) => node.handlers[event]?.(e));
    } else if (value === true) {
      node.setAttribute(name, "");
    } else {
      node.setAttribute(name, value);
    }
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : String(child));
  }
  return node;
}

export const h = (name, attributes, ...children) =>
  fill(document.createElement(name), attributes, children);
export const svg = (name, attributes, ...children) =>
  fill(document.createElementNS(SVG, name), attributes, children);

export const $ = (id) => document.getElementById(id);

// What a field was given, not what was typed or chosen since.
function given(field) {
  if (field.nodeName === "INPUT") return field.defaultValue;
  if (field.nodeName !== "SELECT") return undefined;
  return ([...field.options].find((o) => o.defaultSelected) ?? field.options[0])?.value;
}

// Makes `old` look like `fresh` with as few changes as possible: what is under the pointer, has the
// focus, was opened or typed into stays the same element. Elements are told apart by data-key; what
// carries data-keep is left to itself.
function morph(old, fresh) {
  if (old.dataset?.keep !== undefined) return;
  if (old.handlers) old.handlers = fresh.handlers;
  const before = given(old);
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  children(old, [...fresh.childNodes]);
  // What was typed or chosen is a property, not an attribute. It stays while the field has the focus,
  // unless the field is given something else meanwhile.
  if (before === undefined || (old === document.activeElement && before === given(fresh))) return;
  if (old.value !== fresh.value) old.value = fresh.value;
}

const kind = (n) => n.nodeName + (n.handlers ? Object.keys(n.handlers).join() : "");

function children(box, fresh) {
  const keyed = new Map();
  for (const n of box.childNodes) if (n.dataset?.key) keyed.set(n.dataset.key, n);
  let at = box.firstChild;
  for (const n of fresh) {
    const key = n.dataset?.key;
    let same = key ? keyed.get(key) : at;
    if (same && (kind(same) !== kind(n) || (!key && same.dataset?.key))) same = null;
    if (!same) {
      box.insertBefore(n, at);
      continue;
    }
    if (same === at) at = at.nextSibling; else box.insertBefore(same, at);
    if (same.nodeType === Node.TEXT_NODE) {
      if (same.data !== n.data) same.data = n.data;
    } else {
      morph(same, n);
    }
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

// Shows `fresh` in `box`.
export const swap = (box, ...fresh) => children(box, fresh.flat(Infinity).filter(Boolean));

// The server's clock is what times are compared with.
let offset = 0;
export const setServerTime = (text) => {
  const at = Date.parse(text);
  if (!Number.isNaN(at)) offset = at - Date.now();
};
export const now = () => Date.now() + offset;

const pad = (n) => String(n).padStart(2, "0");
export function clock(text) {
  const d = new Date(text);
  return Number.isNaN(d.getTime()) ? "" : `${pad(d.getHours())}:${pad(d.getMinutes())}:${pad(d.getSeconds())}`;
}
export function when(text) {
  const d = new Date(text);
  if (Number.isNaN(d.getTime())) return "";
  const today = new Date(now());
  const date = `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())}`;
  const same = d.toDateString() === today.toDateString();
  return same ? clock(text) : `${date} ${pad(d.getHours())}:${pad(d.getMinutes())}`;
}
export const time = (text) => h("time", { datetime: text, title: text }, when(text));

export function span(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s}s`;
  if (s < 3600) return `${Math.floor(s / 60)}m${s % 60 ? pad(s % 60) + "s" : ""}`;
  if (s < 86400) return `${Math.floor(s / 3600)}h${pad(Math.floor((s % 3600) / 60))}m`;
  return `${Math.floor(s / 86400)}d${Math.floor((s % 86400) / 3600)}h`;
}
export const left = (text) => span((Date.parse(text) - now()) / 1000);
export const ago = (text) => `${span((now() - Date.parse(text)) / 1000)} ago`;

export function number(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 0.001 || size >= 1e6)) return value.toExponential(2);
  return String(Number(value.toPrecision(3)));
}
// Sentences as people read them: numbers to four digits, commands without their quotes.
export const tidy = (text) => (text || "").replaceAll("`", "").replace(/\d+\.\d{5,}(e[-+]?\d+)?/g, (n) => String(Number(Number(n).toPrecision(4))));
// A name in camel case that may break between its words.
export const words = (name) => name.split(/(?=[A-Z])/).flatMap((part, i) => (i ? [document.createElement("wbr"), part] : [part]));
export const percent = (value) =>
  value === null || value === undefined ? "–" : `${number(value * 100)} %`;
