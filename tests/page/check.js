// SPDX-License-Identifier: Apache-2.0
// What can be checked of accessibility without a person: names, contrast, structure, order of focus,
// size of targets, width. Returns a list of sentences; empty when nothing was found.
const problems = [];
const seen = new Set();
const say = (text) => { if (!seen.has(text)) { seen.add(text); problems.push(text); } };
const where = (n) => `${n.tagName.toLowerCase()}${n.id ? `#${n.id}` : ""}${n.className && n.className.baseVal === undefined ? `.${String(n.className).trim().replace(/\s+/g, ".")}` : ""}`;
const shown = (n) => {
  if (!n.getClientRects().length) return false;
  const s = getComputedStyle(n);
  return s.visibility !== "hidden" && s.clipPath === "none" && n.getBoundingClientRect().right > 0;
};
const scope = document.querySelector("dialog[open]") || document.body;

function nameOf(n) {
  const by = n.getAttribute("aria-labelledby");
  if (by) return by.split(/\s+/).map((id) => document.getElementById(id)?.textContent || "").join(" ").trim();
  if (n.getAttribute("aria-label")) return n.getAttribute("aria-label").trim();
  if (n.labels && n.labels.length) return n.labels[0].textContent.trim();
  return (n.textContent || "").trim();
}

for (const n of scope.querySelectorAll("a[href], button, input, select, textarea, summary, [role=img], [role=region], meter, progress")) {
  if (shown(n) && !nameOf(n)) say(`${where(n)} has no name`);
}

// Contrast, after WCAG 2.1.
const channel = (v) => { const c = v / 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const parse = (text) => { const m = text.match(/[\d.]+/g); return m ? m.map(Number) : [0, 0, 0, 0]; };
function behind(n) {
  for (let at = n; at; at = at.parentElement) {
    const c = parse(getComputedStyle(at).backgroundColor);
    if (c.length < 4 || c[3] === 1) return c;
  }
  return [255, 255, 255];
}
const walker = document.createTreeWalker(scope, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const n = walker.currentNode.parentElement;
  if (!walker.currentNode.textContent.trim() || !n || !shown(n) || n.closest(":disabled, noscript, option, svg")) continue;
  const style = getComputedStyle(n);
  const [a, b] = [light(parse(style.color)), light(behind(n))].sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05);
  const size = parseFloat(style.fontSize);
  const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  if (ratio < (large ? 3 : 4.5)) say(`${where(n)} "${walker.currentNode.textContent.trim().slice(0, 30)}" has contrast ${ratio.toFixed(2)}`);
}

// Structure.
if (document.documentElement.lang !== "en") say("the page names no language");
if (document.querySelectorAll("main").length !== 1) say("there must be one main");
const ids = [...document.querySelectorAll("[id]")].map((n) => n.id);
for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) say(`id ${id} stands twice`);
let level = 0;
for (const n of document.querySelectorAll("main h1, main h2, main h3, main h4")) {
  if (!n.getClientRects().length) continue;
  const now = Number(n.tagName[1]);
  if (now > level + 1) say(`heading "${n.textContent}" skips a level`);
  level = now;
}
for (const t of document.querySelectorAll("table")) {
  if (shown(t) && [...t.querySelectorAll("thead th")].some((th) => th.scope !== "col")) say(`${where(t)} has headings without scope`);
}

// Focus goes in the order of the document.
for (const n of document.querySelectorAll("[tabindex]")) if (n.tabIndex > 0) say(`${where(n)} has a tabindex above 0`);

// Targets, and nothing to scroll sideways for.
for (const n of scope.querySelectorAll("button, select, input, nav a, a.row, summary")) {
  if (!shown(n)) continue;
  const box = n.getBoundingClientRect();
  if (box.height < 24 || box.width < 24) say(`${where(n)} is only ${Math.round(box.width)} by ${Math.round(box.height)}`);
}
if (document.documentElement.scrollWidth > document.documentElement.clientWidth) {
  const wide = [...document.querySelectorAll("main *")].filter((n) => n.getBoundingClientRect().right > document.documentElement.clientWidth + 1 && !n.closest(".scroll, pre")).map(where);
  say(`the page is ${document.documentElement.scrollWidth} wide on ${document.documentElement.clientWidth}: ${wide.slice(0, 3).join(", ")}`);
}
return problems;
