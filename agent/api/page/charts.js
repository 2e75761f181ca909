// SPDX-License-Identifier: Apache-2.0
// Small charts in SVG. Each says in words what it shows, and can be read as a table.

import { clock, h, number, svg } from "./dom.js";

let WIDTH = 640;
const HEIGHT = 190;
const PAD = { left: 46, right: 38, top: 12, bottom: 24 };

// Letters keep their size: on a narrow screen the drawing is narrower, not smaller.
const fit = () => { WIDTH = innerWidth < 760 ? 350 : 640; };

const at = (point) => Date.parse(point.at);
const scale = (from, to, low, high) => (value) => low + ((value - from) / (to - from || 1)) * (high - low);

// Lines break where there is no value.
function path(points, key, x, y) {
  let d = "";
  let pen = false;
  for (const point of points) {
    const value = point[key];
    if (value === null || value === undefined) { pen = false; continue; }
    d += `${pen ? "L" : "M"}${x(at(point)).toFixed(1)} ${y(value).toFixed(1)}`;
    pen = true;
  }
  return d;
}

function steps(points, x, y, end) {
  if (!points.length) return "";
  let d = `M${x(at(points[0]))} ${y(0)}`;
  for (const [i, point] of points.entries()) {
    d += `L${x(at(point)).toFixed(1)} ${y(points[Math.max(0, i - 1)].candidate).toFixed(1)}`;
    d += `L${x(at(point)).toFixed(1)} ${y(point.candidate).toFixed(1)}`;
  }
  return `${d}L${x(end)} ${y(points[points.length - 1].candidate)}L${x(end)} ${y(0)}Z`;
}

function niceTop(value) {
  if (!(value > 0)) return 1;
  const base = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((m) => m * base).find((m) => m >= value) || value;
}

function axes(x, y, from, to, top, format) {
  const parts = [];
  for (const share of [0, 0.5, 1]) {
    const value = share * top;
    parts.push(svg("line", { class: "grid", x1: PAD.left, x2: WIDTH - PAD.right, y1: y(value), y2: y(value) }));
    parts.push(svg("text", { class: "tick", x: PAD.left - 6, y: y(value) + 4, "text-anchor": "end" }, format(value)));
  }
  for (const share of [0, 0.5, 1]) {
    const t = from + share * (to - from);
    parts.push(svg("text", { class: "tick", x: x(t), y: HEIGHT - 6, "text-anchor": ["start", "middle", "end"][share * 2] }, clock(t)));
  }
  return parts;
}

const nearest = (points, t) => points.reduce((best, p) => (best && Math.abs(at(best) - t) <= Math.abs(at(p) - t) ? best : p), null);

// A line under the chart that says what stands under the pointer.
function hover(x, from, to, lines, mark) {
  const parts = (event) => [event.currentTarget.querySelector(".cursor"), event.currentTarget.parentElement.querySelector(".readout")];
  const pointermove = (event) => {
    const [cursor, out] = parts(event);
    const box = event.currentTarget.getBoundingClientRect();
    const px = ((event.clientX - box.left) / box.width) * WIDTH;
    const t = from + ((px - PAD.left) / (WIDTH - PAD.left - PAD.right)) * (to - from);
    if (t < from || t > to) return;
    cursor.setAttribute("x1", x(t));
    cursor.setAttribute("x2", x(t));
    cursor.setAttribute("visibility", "visible");
    const said = lines.map((line) => {
      const point = nearest(line.points, t);
      return point ? `${line.name} ${line.format(point[line.key])}` : "";
    });
    const near = mark(t);
    out.textContent = [clock(t), ...said.filter(Boolean), near].filter(Boolean).join(" · ");
  };
  const pointerleave = (event) => {
    const [cursor, out] = parts(event);
    cursor.setAttribute("visibility", "hidden");
    out.textContent = "\u00a0";
  };
  return { pointermove, pointerleave };
}
const cursor = () => svg("line", { class: "cursor", "data-keep": "", y1: PAD.top, y2: HEIGHT - PAD.bottom, visibility: "hidden" });
const readout = () => h("p", { class: "readout", "aria-hidden": "true", "data-keep": "" }, "\u00a0");

function valueTable(title, lines) {
  const rows = lines[0].points.slice(-30).reverse();
  return h("details", { "data-key": `values-${title}` },
    h("summary", {}, "Values as a table"),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `${title}: values` },
      h("table", {},
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "time"), lines.map((l) => h("th", { scope: "col" }, l.name)))),
        h("tbody", {}, rows.map((row) => h("tr", {}, h("th", { scope: "row" }, clock(row.at)),
          lines.map((l) => h("td", {}, l.format((l.points === lines[0].points ? row : nearest(l.points, at(row)) || {})[l.key]))))))))); 
}

const markOf = (marks, from, to) => (t) => {
  const near = nearest(marks, t);
  return near && Math.abs(at(near) - t) < (to - from) / 50 ? `${near.verdict}: ${near.reason}` : "";
};

function frame(title, words, plot, legend, table) {
  return h("figure", { class: "chart", "data-key": `chart-${title}` },
    h("figcaption", {}, h("strong", {}, title), " ", words),
    plot, readout(), h("p", { class: "legend" }, legend), table);
}

const key = (kind, word) => h("span", { class: `key ${kind}` }, h("i", { "aria-hidden": "true" }), word);

// Candidate and stable of one signal, its threshold, the weight behind them, decisions as marks.
export function signalChart(set, signal) {
  fit();
  const weight = set.weight;
  const all = [...signal.points, ...weight];
  if (!signal.points.length) return h("p", { class: "note" }, "Nothing measured yet.");
  const from = Math.min(...all.map(at));
  const to = Math.max(...all.map(at), from + 1000);
  const values = signal.points.flatMap((p) => [p.candidate, p.stable]).filter((v) => v !== null && v !== undefined);
  const top = niceTop(Math.max(0, ...values, signal.threshold ?? 0) * 1.05);
  const x = scale(from, to, PAD.left, WIDTH - PAD.right);
  const y = scale(0, top, HEIGHT - PAD.bottom, PAD.top);
  const share = scale(0, 100, HEIGHT - PAD.bottom, PAD.top);
  const hasStable = signal.points.some((p) => typeof p.stable === "number");
  const last = signal.points.findLast((p) => typeof p.candidate === "number") || signal.points[signal.points.length - 1];
  const words = `candidate ${number(last.candidate)}${hasStable ? `, stable ${number(last.stable)}` : ""}`
    + `${typeof signal.threshold === "number" ? `, limit ${number(signal.threshold)}` : ""}`;
  const lines = [{ name: "candidate", key: "candidate", points: signal.points, format: number }];
  if (hasStable) lines.push({ name: "stable", key: "stable", points: signal.points, format: number });
  if (weight.length) lines.push({ name: "weight", key: "candidate", points: weight, format: (v) => `${number(v)} %` });
  const on = hover(x, from, to, lines, markOf(set.marks, from, to));
  const plot = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${signal.name}: ${words}`, on },
    svg("path", { class: "weight", d: steps(weight, x, share, to) }),
    axes(x, y, from, to, top, number),
    typeof signal.threshold === "number" && svg("line", { class: "limit", x1: PAD.left, x2: WIDTH - PAD.right, y1: y(signal.threshold), y2: y(signal.threshold) }),
    set.marks.filter((m) => at(m) >= from && at(m) <= to).map((m) =>
      svg("line", { class: `mark ${m.verdict}`, x1: x(at(m)), x2: x(at(m)), y1: PAD.top, y2: HEIGHT - PAD.bottom })),
    hasStable && svg("path", { class: "line stable", d: path(signal.points, "stable", x, y) }),
    svg("path", { class: "line candidate", d: path(signal.points, "candidate", x, y) }), cursor());
  const legend = [key("candidate", "candidate"), hasStable && key("stable", "stable"),
    typeof signal.threshold === "number" && key("limit", "limit"), key("weight", "weight, 0 to 100 %"), key("mark", "decision")];
  return frame(signal.name, words, plot, legend, valueTable(signal.name, lines));
}

export function scoreChart(set) {
  if (set.score.length < 2) return null;
  fit();
  const points = set.score;
  const from = at(points[0]);
  const to = Math.max(at(points[points.length - 1]), from + 1000);
  const x = scale(from, to, PAD.left, WIDTH - PAD.right);
  const y = scale(0, 1, HEIGHT - PAD.bottom, PAD.top);
  const words = `now ${number(points[points.length - 1].candidate)} of 1`;
  const lines = [{ name: "score", key: "candidate", points, format: number }];
  const plot = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `health score: ${words}`, on: hover(x, from, to, lines, () => "") },
    axes(x, y, from, to, 1, number),
    svg("path", { class: "line candidate", d: path(points, "candidate", x, y) }), cursor());
  return frame("Health score", words, plot, [key("candidate", "score")], valueTable("Health score", lines));
}

// A few values in the height of a line of text.
export function spark(values, label) {
  if (!values || values.length < 2) return null;
  const top = Math.max(...values, 1e-9);
  const x = scale(0, values.length - 1, 1, 47);
  const y = scale(0, top, 13, 2);
  const d = values.map((v, i) => `${i ? "L" : "M"}${x(i).toFixed(1)} ${y(v ?? 0).toFixed(1)}`).join("");
  return svg("svg", { class: "spark", viewBox: "0 0 48 15", role: "img", "aria-label": label }, svg("path", { d }));
}
