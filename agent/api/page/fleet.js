// SPDX-License-Identifier: Apache-2.0
// The list of guards: is anything wrong?

import { clock, h, left, now, number, swap, tidy } from "./dom.js";
import { blindBadge, isMoving, order, stateBadge, stateNames } from "./words.js";
import { spark } from "./charts.js";

const SHOWN_AT_ONCE = 150;

export const filters = { namespace: "", team: "", state: "", text: "", shown: SHOWN_AT_ONCE };

const matches = (row) =>
  (!filters.namespace || row.namespace === filters.namespace)
  && (!filters.team || row.team === filters.team)
  && (!filters.state || row.state === filters.state)
  && (!filters.text || row.id.toLowerCase().includes(filters.text.toLowerCase()));

export const sorted = (rows) =>
  [...rows].filter(matches).sort((a, b) => order(a.state) - order(b.state) || a.id.localeCompare(b.id));

function dots(row) {
  if (!row.release || row.steps === 0 || row.steps > 12) return null;
  const done = row.state === "baking" || row.state === "promoting" ? row.steps : row.step;
  const back = row.state === "rollingBack" || row.state === "verifying";
  const marks = [...Array(row.steps).keys()].map((i) =>
    h("i", { class: back && i === done ? "x" : i < done ? "done" : i === done ? "here" : "" }));
  return h("span", { class: "dots", role: "img", "aria-label": `step ${Math.min(done + 1, row.steps)} of ${row.steps}` }, marks);
}

const revision = (row) => row.candidate
  ? h("span", { class: "rev" }, row.stable || "–", h("span", { "aria-label": "to" }, " → "), row.candidate)
  : h("span", { class: "rev" }, row.stable || "–");

function sayTail(row) {
  if (isMoving(row.state) && row.estimatedCompletion) return `${left(row.estimatedCompletion)} left`;
  if (row.state === "rolledBack" && row.last) return clock(row.last.at);
  return "";
}

function line(row, current) {
  const moving = Boolean(row.release);
  return h("li", { "data-key": `li-${row.id}` },
    h("a", { class: `row ${row.state}`, href: `#/g/${row.id}`, "data-key": row.id, "aria-current": current ? "true" : null },
      h("span", { class: "name" }, h("b", {}, row.name), h("small", {}, row.namespace, row.team ? ` · ${row.team}` : "")),
      h("span", { class: "state" }, stateBadge(row.state), row.blind && blindBadge(), row.mode === "observe" && h("small", {}, "observes only")),
      revision(row),
      h("span", { class: "progress" }, dots(row), moving && h("span", { class: "num" }, `${row.weight} %`)),
      h("span", { class: "score num" }, typeof row.score === "number" ? `score ${number(row.score)}` : "",
        spark(row.scores, "last scores")),
      h("span", { class: "tail num" }, sayTail(row)),
      h("span", { class: "why" }, row.state === "stable" ? "" : tidy(row.reason))));
}

export function figures(rows) {
  const all = [...rows];
  const count = (test) => all.filter(test).length;
  const dayAgo = now() - 86400000;
  return {
    releasing: count((r) => isMoving(r.state)),
    waiting: count((r) => r.state === "waiting" || r.state === "held"),
    back: count((r) => r.last && r.last.outcome === "rolledBack" && Date.parse(r.last.at) > dayAgo),
    stable: count((r) => r.state === "stable"),
    blind: count((r) => r.blind),
    problems: count((r) => r.state === "problem"),
    ready: count((r) => r.rollbackReady),
    all: all.length,
  };
}

const fig = (value, word, tone) => h("li", { class: value && tone ? tone : "" }, h("b", { class: "num" }, String(value)), ` ${word}`);

export function summary(rows) {
  const f = figures(rows);
  return h("ul", { class: "figures", "aria-label": "At a glance" },
    fig(f.releasing, "releasing", "go"),
    f.waiting ? fig(f.waiting, "waiting for people", "warn") : null,
    fig(f.back, "rolled back today", "bad"),
    fig(f.stable, "stable"),
    fig(f.blind, "blind", "warn"),
    f.problems ? fig(f.problems, "unusable", "bad") : null,
    h("li", {}, "ready to roll back ", h("b", { class: "num" }, `${f.ready}/${f.all}`)));
}

const choice = (id, label, value, options, change) =>
  h("label", { for: id }, h("span", {}, label),
    h("select", { id, "data-key": id, on: { change: (e) => change(e.target.value) } },
      options.map(([key, word]) => h("option", { value: key, selected: key === value }, word))));

export function filterBar(rows, redraw) {
  const names = (pick) => [...new Set([...rows].map(pick).filter(Boolean))].sort().map((n) => [n, n]);
  const set = (key) => (value) => { filters[key] = value; filters.shown = SHOWN_AT_ONCE; redraw(); };
  return h("form", { class: "filters", role: "search", "aria-label": "Filter guards", on: { submit: (e) => e.preventDefault() } },
    choice("f-ns", "Namespace", filters.namespace, [["", "all"], ...names((r) => r.namespace)], set("namespace")),
    choice("f-team", "Team", filters.team, [["", "all"], ...names((r) => r.team)], set("team")),
    choice("f-state", "State", filters.state, [["", "all"], ...stateNames()], set("state")),
    h("label", { for: "f-text" }, h("span", {}, "Name"),
      h("input", { id: "f-text", type: "search", "data-key": "f-text", value: filters.text, placeholder: "part of a name",
        on: { input: (e) => set("text")(e.target.value) } })));
}

const EXAMPLE = `kubectl apply -f - <<'EOF'
apiVersion: rollguard.dev/v1alpha1
kind: Guard
metadata:
  name: checkout
  namespace: shop
spec:
  target:
    apiVersion: apps/v1
    kind: Deployment
    name: checkout
  mode: observe
  strategy:
    rolling: {}
  rollback:
    rules: [http-golden-signals]
EOF`;

function nothing(rows, redraw) {
  if (rows.size === 0) {
    return h("div", { class: "empty" }, h("h2", {}, "No guards yet"),
      h("p", {}, "A guard watches the releases of one workload. Try:"),
      h("pre", { tabindex: "0" }, EXAMPLE),
      h("p", {}, "It appears here within a second. ", h("code", {}, "mode: observe"), " changes nothing in the cluster."));
  }
  return h("div", { class: "empty" }, h("h2", {}, "Nothing matches"),
    h("p", {}, h("button", { type: "button", on: { click: () => {
      Object.assign(filters, { namespace: "", team: "", state: "", text: "" });
      redraw();
    } } }, "Clear the filters")));
}

export function list(box, rows, openId, redraw) {
  const all = sorted(rows.values());
  if (!all.length) return swap(box, nothing(rows, redraw));
  const more = all.length - filters.shown;
  return swap(box,
    h("ul", { class: "rows", "aria-label": `Guards, ${all.length}` }, all.slice(0, filters.shown).map((row) => line(row, row.id === openId))),
    more > 0 && h("p", { class: "more" }, h("button", { type: "button", on: { click: () => { filters.shown += SHOWN_AT_ONCE; redraw(); } } }, `Show more (${more})`)));
}
