// SPDX-License-Identifier: Apache-2.0
// History with its figures, alerts, rules.

import { h, number, percent, span, swap, time } from "./dom.js";
import { decisionRecord, durationOf } from "./detail.js";
import { get } from "./session.js";
import { outcomeBadge } from "./words.js";

const card = (value, word) => h("li", {}, h("b", { class: "num" }, value), h("span", {}, word));
const seconds = (value) => (typeof value === "number" ? span(value) : "–");

function figures(all) {
  return h("ul", { class: "cards", "aria-label": "The last 30 days" },
    card(number(all.perDay), "promotions a day"),
    card(percent(all.changeFailureRate), "change failure rate"),
    card(seconds(all.medianSecondsToRestore), "median time to restore"),
    card(seconds(all.medianSecondsLeadTime), "median lead time"),
    card(`${all.promoted} / ${all.rolledBack}`, "promoted / rolled back"));
}

const table = (label, heads, rows) =>
  h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
    h("table", {}, h("caption", { class: "hidden" }, label), h("thead", {}, h("tr", {}, heads.map((t) => h("th", { scope: "col" }, t)))), h("tbody", {}, rows)));

const releaseRow = (r) => h("tr", {},
  h("th", { scope: "row" }, h("a", { href: `#/g/${r.guard}` }, r.guard)),
  h("td", {}, outcomeBadge(r.outcome)),
  h("td", { class: "rev" }, `${r.previous || "–"} → ${r.revision}`),
  h("td", {}, time(r.startedAt)),
  h("td", { class: "num" }, durationOf(r)),
  h("td", {}, r.trigger ? `${r.trigger} (${r.triggerKind || "?"})` : ""),
  h("td", { class: "num" }, typeof r.secondsToRestore === "number" ? `${number(r.secondsToRestore)} s` : ""));

const chosen = { outcome: "", guard: "" };

export async function history(box) {
  const query = new URLSearchParams({ limit: "50" });
  if (chosen.outcome) query.set("outcome", chosen.outcome);
  if (/^[^/]+\/[^/]+$/.test(chosen.guard)) query.set("guard", chosen.guard);
  const [statistics, first] = await Promise.all([get("/api/v1/statistics"), get(`/api/v1/releases?${query}`)]);
  const items = first.items;
  let next = first.next;
  const redraw = () => history(box).catch((e) => swap(box, h("p", { class: "error", role: "alert" }, e.message)));
  const draw = () => swap(box,
    h("h1", { tabindex: "-1" }, "History"),
    figures(statistics.all),
    h("form", { class: "filters", role: "search", "aria-label": "Filter releases", on: { submit: (e) => { e.preventDefault(); redraw(); } } },
      h("label", { for: "h-outcome" }, h("span", {}, "Outcome"), h("select", { id: "h-outcome", "data-key": "h-outcome", on: { change: (e) => { chosen.outcome = e.target.value; redraw(); } } },
        [["", "all"], ["running", "running"], ["promoted", "promoted"], ["rolled_back", "rolled back"], ["superseded", "superseded"], ["rejected", "rejected"]].map(([key, word]) => h("option", { value: key, selected: key === chosen.outcome }, word)))),
      h("label", { for: "h-guard" }, h("span", {}, "Guard"), h("input", { id: "h-guard", "data-key": "h-guard", type: "search", placeholder: "namespace/name", value: chosen.guard, on: { change: (e) => { chosen.guard = e.target.value.trim(); redraw(); } } }))),
    items.length ? table("Releases", ["guard", "outcome", "revision", "began", "took", "trigger", "to restore"], items.map(releaseRow))
      : h("div", { class: "empty" }, h("h2", {}, "No releases"), h("p", {}, "A release is recorded when a guarded workload gets a new template.")),
    next && h("p", { class: "more" }, h("button", { type: "button", on: { click: async () => {
      query.set("continue", next);
      const page = await get(`/api/v1/releases?${query}`);
      items.push(...page.items);
      next = page.next;
      draw();
    } } }, "Show more")));
  draw();
}

const labels = (a) => Object.entries(a.labels).filter(([k]) => k !== "alertname").map(([k, v]) => `${k}=${v}`).join(", ");

export async function alerts(box) {
  const { items, firing } = await get("/api/v1/alerts");
  swap(box, h("h1", { tabindex: "-1" }, "Alerts"), h("p", { class: "note" }, `${firing} firing now. What became of each, and why:`),
    items.length ? table("Alerts", ["alert", "status", "matched", "disposition", "why", "received"], items.map((a) => h("tr", {},
      h("th", { scope: "row" }, a.labels.alertname || a.fingerprint, h("small", {}, labels(a))),
      h("td", {}, a.status),
      h("td", {}, a.matches.map((m) => h("a", { href: `#/g/${m.guard}` }, m.guard, " "))),
      h("td", {}, a.disposition),
      h("td", {}, a.matches[0] ? a.matches[0].reason : "no guard is named by it"),
      h("td", {}, time(a.receivedAt)))))
      : h("div", { class: "empty" }, h("h2", {}, "No alerts yet"), h("p", {}, "Point an Alertmanager receiver at ", h("code", {}, "POST /api/v1/alerts"), ".")));
}

export async function rules(box) {
  const { items } = await get("/api/v1/rules");
  swap(box, h("h1", { tabindex: "-1" }, "Rules"), h("p", { class: "note" }, "Their record of the last 30 days: right means that the trigger went away after the rollback."),
    items.length ? table("Rules", ["rule", "does", "for", "fired", "right", "wrong", "query"], items.map((r) => h("tr", {},
      h("th", { scope: "row" }, r.name, h("small", {}, [r.group, r.namespace].filter(Boolean).join(" · "))),
      h("td", {}, r.action, h("small", {}, ` ${r.severity}`)),
      h("td", { class: "num" }, r.forSeconds ? span(r.forSeconds) : "at once"),
      h("td", { class: "num" }, r.fired), h("td", { class: "num" }, r.right), h("td", { class: "num" }, r.wrong),
      h("td", { class: "query" }, h("details", { "data-key": `r-${r.group}-${r.name}` }, h("summary", {}, "query"), h("code", {}, r.query))))))
      : h("div", { class: "empty" }, h("h2", {}, "No rules"), h("p", {}, "Name rule files in the agent's configuration, or apply RollbackRules objects.")));
}

export async function decision(box, id) {
  const d = await get(`/api/v1/decisions/${encodeURIComponent(id)}`);
  swap(box, h("h1", { tabindex: "-1" }, "Decision"), h("p", {}, d.words), h("p", {}, h("a", { href: `#/g/${d.guard}` }, d.guard)), decisionRecord(d));
}
