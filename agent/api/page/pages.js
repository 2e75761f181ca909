// SPDX-License-Identifier: Apache-2.0
// History with its figures, alerts, rules.

import { h, left, now, number, percent, span, swap, tidy, time } from "./dom.js";
import { charts, decisionLine, decisionRecord, durationOf, part } from "./detail.js";
import { confirm } from "./dialogs.js";
import { get, post } from "./session.js";
import { alertBadge, outcomeBadge } from "./words.js";

// What draws the view that is open anew, for views whose drawings depend on the width.
export const shown = { redraw: null };

const card = (value, word) => h("li", {}, h("b", { class: "num" }, value), h("span", {}, word));
const seconds = (value) => (typeof value === "number" ? span(value) : "–");

function figures(all) {
  return h("ul", { class: "cards", "aria-label": "How releases go" },
    card(number(all.perDay), "promotions a day"),
    card(percent(all.changeFailureRate), "change failure rate"),
    card(seconds(all.medianSecondsToRestore), "median time to restore"),
    card(seconds(all.medianSecondsLeadTime), "median lead time"),
    card(`${all.promoted} / ${all.rolledBack}`, "promoted / rolled back"));
}

const table = (label, heads, rows) =>
  h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
    h("table", { class: "stack" }, h("caption", { class: "hidden" }, label), h("thead", {}, h("tr", {}, heads.map((t) => h("th", { scope: "col" }, t)))), h("tbody", {}, rows)));

const cell = (label, attributes, ...children) => h("td", { "data-label": label, ...attributes }, ...children);
const triggerOf = (r) => !r.trigger ? "" : r.trigger === r.triggerKind || !r.triggerKind ? r.trigger : `${r.trigger} (${r.triggerKind})`;
const judged = (r) => typeof r.right === "boolean" ? (r.right ? "the trigger went away" : "probably not the cause") : "";

const releaseRow = (r) => h("tr", {},
  h("th", { scope: "row" }, h("a", { href: `#/r/${encodeURIComponent(r.id)}` }, r.guard)),
  cell("outcome", {}, outcomeBadge(r.outcome)),
  cell("revision", { class: "rev" }, `${r.previous || "–"} → ${r.revision}`),
  cell("began", {}, time(r.startedAt)),
  cell("took", { class: "num" }, durationOf(r)),
  cell("trigger", {}, triggerOf(r), judged(r) ? h("small", {}, ` ${judged(r)}`) : ""),
  cell("to restore", { class: "num" }, typeof r.secondsToRestore === "number" ? span(r.secondsToRestore) : ""));

const TIMES = [["1", "the last day"], ["7", "the last 7 days"], ["30", "the last 30 days"], ["365", "the last year"]];
const chosen = { outcome: "", guard: "", days: "30" };

export async function history(box) {
  const query = new URLSearchParams({ limit: "50" });
  if (chosen.outcome) query.set("outcome", chosen.outcome);
  const about = new URLSearchParams({ since: new Date(now() - Number(chosen.days) * 86400000).toISOString() });
  if (/^[^/]+\/[^/]+$/.test(chosen.guard)) about.set("guard", chosen.guard);
  for (const [key, value] of about) query.set(key, value);
  const [statistics, first] = await Promise.all([get(`/api/v1/statistics?${about}`), get(`/api/v1/releases?${query}`)]);
  const items = first.items;
  let next = first.next;
  const redraw = () => history(box).catch((e) => swap(box, h("p", { class: "error", role: "alert" }, e.message)));
  const draw = () => swap(box,
    h("h1", { tabindex: "-1" }, "History"),
    figures(statistics.all),
    h("form", { class: "filters", role: "search", "aria-label": "Filter releases", on: { submit: (e) => { e.preventDefault(); redraw(); } } },
      h("label", { for: "h-days" }, h("span", {}, "Time"), h("select", { id: "h-days", "data-key": "h-days", on: { change: (e) => { chosen.days = e.target.value; redraw(); } } },
        TIMES.map(([key, word]) => h("option", { value: key, selected: key === chosen.days }, word)))),
      h("label", { for: "h-outcome" }, h("span", {}, "Outcome"), h("select", { id: "h-outcome", "data-key": "h-outcome", on: { change: (e) => { chosen.outcome = e.target.value; redraw(); } } },
        [["", "all"], ["running", "running"], ["promoted", "promoted"], ["rolled_back", "rolled back"], ["superseded", "superseded"], ["rejected", "rejected"]].map(([key, word]) => h("option", { value: key, selected: key === chosen.outcome }, word)))),
      h("label", { for: "h-guard" }, h("span", {}, "Guard"), h("input", { id: "h-guard", "data-key": "h-guard", type: "search", placeholder: "namespace/name", value: chosen.guard, on: { change: (e) => { chosen.guard = e.target.value.trim(); redraw(); } } }))),
    items.length ? table("Releases", ["guard", "outcome", "revision", "began", "took", "trigger", "to restore"], items.map(releaseRow))
      : h("div", { class: "empty" }, h("h2", {}, "No releases"), h("p", {}, "A release is recorded when a guarded workload gets a new template."), h("p", {}, "Look at a longer time, or at all guards.")),
    next && h("p", { class: "more" }, h("button", { type: "button", on: { click: async () => {
      query.set("continue", next);
      const page = await get(`/api/v1/releases?${query}`);
      items.push(...page.items);
      next = page.next;
      draw();
    } } }, "Show more")));
  draw();
}

// Where the alert came from, when that is an address a browser opens.
const from = (a) => /^https?:/.test(a.generatorURL || "") ? h("a", { class: "plain", href: a.generatorURL, target: "_blank", rel: "noopener noreferrer" }, "source", h("span", { "aria-hidden": "true" }, " ↗")) : null;
const labels = (a) => Object.entries(a.labels).filter(([k]) => k !== "alertname").map(([k, v]) => `${k}=${v}`).join(", ");

export async function alerts(box) {
  const { items, firing } = await get("/api/v1/alerts");
  swap(box, h("h1", { tabindex: "-1" }, "Alerts"), h("p", { class: "note" }, `${firing} firing now. What became of each, and why:`),
    items.length ? table("Alerts", ["alert", "status", "matched", "became", "why", "received"], items.map((a) => h("tr", {},
      h("th", { scope: "row" }, a.labels.alertname || a.fingerprint, h("small", {}, labels(a))),
      cell("status", {}, alertBadge(a.status)),
      cell("matched", {}, a.matches.length ? a.matches.map((m) => h("a", { href: `#/g/${m.guard}` }, m.guard, " ")) : "nobody"),
      cell("became", {}, a.disposition),
      cell("why", {}, a.matches[0] ? tidy(a.matches[0].reason) : "no guard is named by it"),
      cell("received", {}, time(a.receivedAt), from(a)))))
      : h("div", { class: "empty" }, h("h2", {}, "No alerts yet"), h("p", {}, "Point an Alertmanager receiver at ", h("code", {}, "POST /api/v1/alerts"), ".")));
}

export async function rules(box) {
  const { items } = await get("/api/v1/rules");
  swap(box, h("h1", { tabindex: "-1" }, "Rules"), h("p", { class: "note" }, "Their record of the last 30 days: right means that the trigger went away after the rollback."),
    items.length ? table("Rules", ["rule", "does", "for", "fired", "right", "wrong", "query"], items.map((r) => h("tr", {},
      h("th", { scope: "row" }, r.name, h("small", {}, [r.group, r.namespace].filter(Boolean).join(" · "))),
      cell("does", {}, r.action, h("small", {}, ` ${r.severity}`)),
      cell("for", { class: "num" }, r.forSeconds ? span(r.forSeconds) : "at once"),
      cell("fired", { class: "num" }, r.fired), cell("right", { class: "num" }, r.right), cell("wrong", { class: "num" }, r.wrong),
      h("td", { class: "query" }, h("details", { "data-key": `r-${r.group}-${r.name}` }, h("summary", {}, "query"), h("code", {}, r.query))))))
      : h("div", { class: "empty" }, h("h2", {}, "No rules"), h("p", {}, "Name rule files in the agent's configuration, or apply RollbackRules objects.")));
}

export async function decision(box, id) {
  const d = await get(`/api/v1/decisions/${encodeURIComponent(id)}`);
  swap(box, h("h1", { tabindex: "-1" }, "Decision"), h("p", {}, tidy(d.words)),
    h("p", {}, h("a", { href: `#/g/${d.guard}` }, d.guard), d.release ? [" · ", h("a", { href: `#/r/${encodeURIComponent(d.release)}` }, "its release")] : ""),
    h("div", { class: "record" }, decisionRecord(d)));
}

// One release, running or long ended, with the charts that were kept of it.
export async function release(box, id) {
  const { release: r, decisions, series } = await get(`/api/v1/releases/${encodeURIComponent(id)}`);
  const draw = () => swap(box,
    h("p", { class: "crumbs" }, h("a", { href: "#/history" }, "History"), " / ", h("a", { href: `#/g/${r.guard}` }, r.guard)),
    h("h1", { tabindex: "-1" }, `Release of ${r.revision}`),
    h("p", { class: "headline" }, outcomeBadge(r.outcome), h("span", { class: "rev" }, `${r.previous || "–"} → ${r.revision}`),
      h("span", {}, "began ", time(r.startedAt)), r.endedAt ? h("span", {}, `took ${durationOf(r)}`) : null,
      r.live?.estimatedCompletion ? h("span", { class: "num" }, `${left(r.live.estimatedCompletion)} left`) : null),
    r.trigger ? h("p", { class: "why" }, `Taken back for ${triggerOf(r)}`, typeof r.secondsToRestore === "number" ? `; safe after ${span(r.secondsToRestore)}` : "", judged(r) ? `; ${judged(r)}` : "", ".") : null,
    part("h2", "charts", "Measurements", series.weight.length || series.signals.length ? charts(id, [], series, draw) : h("p", { class: "note" }, "Its measurements are no longer kept, or none were made.")),
    part("h2", "decisions", "Decisions", decisions.length ? h("ul", { class: "decisions" }, decisions.map(decisionLine)) : h("p", { class: "note" }, "None are kept.")));
  shown.redraw = draw;
  draw();
}

const channelRow = (c) => h("tr", {},
  h("th", { scope: "row" }, c.name, h("small", {}, c.kind)),
  cell("waiting", { class: "num" }, c.waiting), cell("sent", { class: "num" }, c.sent), cell("not told", { class: "num" }, c.deadLetters),
  cell("last told", {}, c.lastSent ? time(c.lastSent) : "never"),
  cell("last error", {}, c.lastError || ""));

// Who is told, and what could not be told.
export async function notices(box, { said }) {
  const { channels, deadLetters } = await get("/api/v1/notifications");
  const again = () => notices(box, { said }).catch((e) => said(e.message));
  const run = (letter, verb) => post(`/api/v1/notifications/dead-letters/${encodeURIComponent(letter.id)}/${verb}`, {});
  const retry = (letter) => run(letter, "retry").then((answer) => { said(answer.message); again(); setTimeout(again, 1000); }, (e) => said(e.message));
  const discard = async (letter) => {
    const answer = await confirm({ title: "Forget this notice?", consequence: `Nobody on ${letter.channel} will be told: ${tidy(letter.notice.text)}`, label: "Discard", danger: true, run: () => run(letter, "discard") });
    if (answer) { said(answer.message); again(); }
  };
  const letterRow = (l) => h("tr", { "data-key": `letter-${l.id}` },
    h("th", { scope: "row" }, tidy(l.notice.text), h("small", {}, `${l.notice.namespace}/${l.notice.guard} · ${l.notice.event}`)),
    cell("channel", {}, l.channel), cell("given up", {}, time(l.at)), cell("attempts", { class: "num" }, l.attempts), cell("error", {}, l.error),
    h("td", { class: "tools" }, h("button", { type: "button", "data-key": `retry-${l.id}`, on: { click: () => retry(l) } }, "Retry"),
      h("button", { type: "button", "data-key": `discard-${l.id}`, on: { click: () => discard(l) } }, "Discard")));
  swap(box, h("h1", { tabindex: "-1" }, "Notices"), h("p", { class: "note" }, "Who is told what happens, since this agent started."),
    channels.length ? table("Channels", ["channel", "waiting", "sent", "not told", "last told", "last error"], channels.map(channelRow))
      : h("div", { class: "empty" }, h("h2", {}, "Nobody is told"), h("p", {}, "Name channels and routes under ", h("code", {}, "notifications"), " in the agent's configuration: Slack, Teams, webhooks, Alertmanager, Kubernetes Events.")),
    channels.length ? [h("h2", {}, "Could not be told"), deadLetters.length ? table("Dead letters", ["notice", "channel", "given up", "attempts", "error", ""], deadLetters.map(letterRow)) : h("p", { class: "note" }, "Everything was told.")] : null);
}
