// SPDX-License-Identifier: Apache-2.0
// One guard: where its release is, why, and what can be done.

import { ago, clock, h, left, number, span, swap, tidy, time, words } from "./dom.js";
import { scoreChart, signalChart, spark } from "./charts.js";
import { confirm } from "./dialogs.js";
import { get, post } from "./session.js";
import { blindBadge, stateBadge, verdictBadge } from "./words.js";

let chosen = "";  // the signal a person picked for the chart, of this guard
let chosenFor = "";

// Verbs of guards.rollguard.dev a command needs.
const NEEDS = { abort: ["abort", "rollback"], reject: ["approve", "rollback"], skip: ["promote"] };
const DANGER = ["rollback", "abort", "reject"];

function actions(guard, me, said) {
  if (!guard.actions.length) return null;
  const buttons = guard.actions.map((action, i) => {
    const lacking = (NEEDS[action.verb] || [action.verb]).filter((v) => !me.verbs[v]);
    const danger = DANGER.includes(action.verb);
    const run = (reason) => post(`/api/v1/guards/${guard.summary.id}/${action.verb}`, { ...action.body, ...(reason ? { reason } : {}) });
    return h("button", {
      type: "button", class: danger ? "danger" : i === 0 ? "primary" : "", "data-key": `act-${action.label}`,
      disabled: lacking.length > 0, title: lacking.length ? `you lack: ${lacking.join(", ")}` : action.consequence,
      on: { click: async () => {
        const answer = await confirm({ title: `${action.label} ${guard.summary.id}?`, consequence: `${action.consequence} It is recorded as ${me.name}'s.`, label: action.label, danger, run });
        if (answer) said(`${action.label}: ${answer.message}`);
      } },
    }, action.label);
  });
  return h("div", { class: "actions", role: "group", "aria-label": "Commands" }, buttons);
}

function approval(guard) {
  const a = guard.approval;
  if (!a) return null;
  return h("p", { class: "callout warn" }, `Waits for approval: ${a.votes.length} of ${a.required}`,
    a.groups.length ? ` by members of ${a.groups.join(", ")}` : "", a.votes.length ? `, so far ${a.votes.join(", ")}` : "",
    a.until ? h("span", {}, ", until ", time(a.until)) : "", ".");
}

function stepLine(step) {
  const mark = { done: "●", current: "◐", next: "○" }[step.state];
  const word = { done: "done", current: "now", next: "next" }[step.state];
  return h("li", { class: step.state, "aria-current": step.state === "current" ? "step" : null },
    h("span", { class: "shape", "aria-hidden": "true" }, mark),
    h("span", {}, step.name ? h("b", {}, `${step.name}: `) : "", step.words, h("span", { class: "hidden" }, `, ${word}`),
      step.state === "current" && step.endsAt ? h("small", { class: "num" }, ` ${left(step.endsAt)} left`) : ""));
}

const LONG_TRACK = 7;

// Where the release is; at rest the steps of the next one are out of the way.
function track(guard) {
  const s = guard.summary;
  const now = guard.reasons.filter((r) => r && r !== s.reason);
  const note = now.length ? h("p", { class: "note" }, `Now: ${tidy(now.join("; "))}`) : null;
  if (!guard.steps.length) {
    return section("track", "Track", h("p", { class: "note" }, `Strategy ${s.strategy}: no steps; rules watch it from the first pod to the end of the bake.`), note);
  }
  const line = h("ol", { class: guard.steps.length > LONG_TRACK ? "track long" : "track" }, guard.steps.map(stepLine));
  if (s.release) return section("track", "Track", line, note);
  return [note, h("details", { "data-key": "steps", class: "aside" }, h("summary", {}, `Steps of the next release (${guard.steps.length})`), line)];
}

// The signal to draw: what a person picked, what is loudest, what took the release back, what compares.
function mattersMost(key, evidence, set) {
  const names = set.signals.map((s) => s.name);
  if (chosenFor === key && names.includes(chosen)) return chosen;
  const loud = evidence.find((e) => e.state !== "ok" && names.includes(e.name));
  const back = set.marks.findLast((m) => m.verdict === "rollback");
  const blamed = back && names.find((name) => back.reason.includes(name));
  if (!loud && blamed) return blamed;
  const compared = set.signals.find((s) => s.points.some((p) => typeof p.stable === "number"));
  return loud ? loud.name : compared ? compared.name : names[0];
}

export function charts(key, evidence, set, redraw) {
  if (!set || (!set.signals.length && !set.weight.length)) return h("p", { class: "note" }, "Nothing was measured yet. Rules are asked while a release runs.");
  const name = mattersMost(key, evidence, set);
  const signal = set.signals.find((s) => s.name === name);
  const pick = set.signals.length > 1 && h("label", { class: "pick", for: "signal" }, h("span", {}, "Measurement"),
    h("select", { id: "signal", "data-key": "signal", on: { change: (e) => { chosen = e.target.value; chosenFor = key; redraw(); } } },
      set.signals.map((s) => h("option", { value: s.name, selected: s.name === name }, s.name))));
  return [pick, signal ? signalChart(set, signal) : null, scoreChart(set)];
}

function copyButton(text, said) {
  return h("button", { type: "button", class: "plain copy", "aria-label": "Copy the query", "data-key": `copy-${text}`,
    on: { click: () => navigator.clipboard?.writeText(text).then(() => said("Query copied."), () => said("The browser did not let the page copy.")) } }, "copy");
}

const limitOf = (e) => typeof e.threshold === "number" ? `${e.op || ">"} ${number(e.threshold)}` : e.condition || "";

// Evidence of a sequential test on its way to where it acts; both are counted in decades.
function towards(e) {
  if (typeof e.e !== "number" || !e.eLimit) return null;
  const share = Math.min(1, Math.max(0, Math.log(Math.max(e.e, 1)) / Math.log(e.eLimit)));
  return h("span", { class: "meter" }, h("meter", { min: 0, max: 1, value: share.toFixed(3), "aria-label": `evidence ${number(e.e)}, acts at ${number(e.eLimit)}` }),
    h("small", { class: "num" }, `E ${e.e < 0.01 ? "below 0.01" : number(e.e)} of ${number(e.eLimit)}`));
}

const RECENT = 24;

// The last values of what stands in the row, from the charts' lines.
function trend(e, set) {
  const line = set?.signals.find((s) => s.name === e.name);
  const values = (line?.points || []).map((p) => p.candidate).filter((v) => typeof v === "number").slice(-RECENT);
  return spark(values, `last ${values.length} values, from ${number(values[0])} to ${number(values[values.length - 1])}`);
}

function query(e, said) {
  if (!e.query) return h("small", {}, tidy(e.reason));
  return h("details", { "data-key": `q-${e.source}-${e.name}` }, h("summary", {}, "query"), h("code", {}, e.query),
    h("p", { class: "tools" }, copyButton(e.query, said),
      e.link && /^https?:/.test(e.link) ? h("a", { class: "plain", href: e.link, target: "_blank", rel: "noopener noreferrer" }, "open in Prometheus", h("span", { "aria-hidden": "true" }, " ↗")) : null));
}

function evidenceRow(e, set, said) {
  return h("tr", { class: e.state, "data-key": `e-${e.source}-${e.group || ""}-${e.name}` },
    h("th", { scope: "row" }, words(e.name), h("small", {}, [e.source, e.group].filter(Boolean).join(" · "))),
    h("td", { "data-label": "verdict" }, verdictBadge(e.state), e.since && e.state !== "ok" ? h("small", {}, ` since ${clock(e.since)}`) : ""),
    h("td", { class: "num", "data-label": "value", title: tidy(e.reason) }, e.text || number(e.value)),
    h("td", { class: "num", "data-label": "limit" }, limitOf(e), towards(e)),
    h("td", { "data-label": "trend" }, trend(e, set)),
    h("td", { "data-label": "does" }, e.action || "", e.severity ? h("small", {}, ` ${e.severity}`) : ""),
    h("td", { class: "query" }, query(e, said)));
}

function evidence(guard, set, said) {
  if (!guard.evidence.length) return h("p", { class: "note" }, "Nothing is measured now: rules, checks and alerts show here while a release runs. What a decision was taken on stands below.");
  const heads = ["signal", "verdict", "value", "limit", "trend", "does", "query"];
  return h("table", { class: "evidence" }, h("caption", { class: "hidden" }, "Evidence"),
    h("thead", {}, h("tr", {}, heads.map((t) => h("th", { scope: "col" }, t)))),
    h("tbody", {}, guard.evidence.map((e) => evidenceRow(e, set, said))));
}

function comparison(guard) {
  const rows = guard.evidence.filter((e) => e.comparison && (typeof e.comparison.candidate === "number" || typeof e.comparison.stable === "number"));
  if (!rows.length) return null;
  const bar = (value, top, kind) => h("td", { class: "num", "data-label": kind },
    h("span", {}, number(value)), h("progress", { class: kind, max: String(top), value: String(value ?? 0), "aria-label": `${kind} ${number(value)}` }));
  return section("compare", "Candidate against stable", h("table", { class: "compare" },
    h("thead", {}, h("tr", {}, ["signal", "candidate", "stable"].map((t) => h("th", { scope: "col" }, t)))),
    h("tbody", {}, rows.map((e) => {
      const top = Math.max(e.comparison.candidate ?? 0, e.comparison.stable ?? 0, 1e-9);
      return h("tr", {}, h("th", { scope: "row" }, words(e.name)), bar(e.comparison.candidate, top, "candidate"), bar(e.comparison.stable, top, "stable"));
    }))));
}

export function decisionLine(d) {
  const load = async (box) => {
    if (box.childElementCount) return;
    try {
      const full = await get(`/api/v1/decisions/${encodeURIComponent(d.id)}`);
      swap(box, decisionRecord(full));
    } catch (error) {
      swap(box, h("p", { class: "error" }, error.message));
    }
  };
  return h("li", { class: d.verdict, "data-key": `li-${d.id}` },
    h("details", { "data-key": `d-${d.id}`, on: { toggle: (e) => { if (e.target.open) load(e.target.querySelector(".record")); } } },
      h("summary", {}, time(d.at), " ", tidy(d.words.replace(/^\S+ /, ""))), h("div", { class: "record", "data-keep": "" })));
}

export function decisionRecord(d) {
  const pair = (term, value) => value ? [h("dt", {}, term), h("dd", {}, value)] : null;
  return [h("dl", {}, pair("decision", d.id), pair("phase", d.phase), pair("who", d.actor), pair("revision", d.revision),
    pair("weight", `${d.weight} %`),
    d.confidence ? pair("confidence", `${number(d.confidence.value)} = health ${number(d.confidence.health)}, trend ${number(d.confidence.trend)}, severity ${number(d.confidence.severity)}`) : null),
  d.signals?.length ? h("ul", { class: "signals" }, d.signals.map((s) => h("li", {}, verdictBadge(s.state), ` ${tidy(s.reason)}`,
    s.evidence?.query ? h("code", {}, s.evidence.query) : ""))) : null,
  d.changes?.length ? h("ul", { class: "changes" }, d.changes.map((c) => h("li", {}, h("code", {}, c)))) : null];
}

export const section = (id, title, ...body) => part("h3", id, title, ...body);
export const part = (heading, id, title, ...body) => h("section", { "aria-labelledby": `s-${id}` }, h(heading, { id: `s-${id}` }, title), body);

function more(guard) {
  const rows = [];
  if (guard.quarantine.length) {
    rows.push(section("quarantine", "Quarantine", h("ul", {}, guard.quarantine.map((q) => h("li", {}, h("b", {}, q.revision), ` ${tidy(q.reason)} `, time(q.at), q.expires ? h("span", {}, " until ", time(q.expires)) : "")))));
  }
  if (guard.conditions.length) {
    rows.push(section("conditions", "Conditions", h("ul", { class: "plainlist" }, guard.conditions.map((c) =>
      h("li", {}, h("b", {}, c.type), ` ${c.status ? "yes" : "no"}`, c.message ? `: ${c.message}` : "", h("small", {}, ` ${ago(c.since)}`))))));
  }
  if (guard.wayBack.length) {
    rows.push(h("details", { "data-key": "wayback" }, h("summary", {}, "The way back, staged"), h("ul", {}, guard.wayBack.map((w) => h("li", {}, h("code", {}, w))))));
  }
  if (guard.history.length) {
    rows.push(h("details", { "data-key": "stables" }, h("summary", {}, "Stable revisions"), h("ul", {}, guard.history.map((r) => h("li", {}, h("b", {}, r.revision), " ", time(r.at))))));
  }
  return rows;
}

function alertsPart(alerts) {
  if (!alerts.length) return null;
  return section("alerts", "Alerts", h("ul", { class: "plainlist" }, alerts.map((a) => h("li", {},
    h("b", {}, a.labels.alertname || a.fingerprint), ` ${a.status}, ${a.disposition} `, time(a.receivedAt), a.matches[0] ? h("small", {}, ` ${a.matches[0].reason}`) : ""))));
}

export function detail(box, { guard, series, alerts, me, said, redraw }) {
  const s = guard.summary;
  swap(box,
    h("header", { class: "detail-head" },
      h("h2", { tabindex: "-1", id: "detail-title" }, s.name, h("small", {}, ` ${s.namespace}`)),
      h("a", { class: "close", href: "#/", "aria-label": "Close", "data-key": "close" }, "✕")),
    h("p", { class: "headline" }, stateBadge(s.state), s.blind && blindBadge(),
      s.release ? h("span", {}, h("span", { class: "rev" }, `${s.stable} → ${s.candidate}`), h("b", { class: "num" }, ` ${s.weight} %`)) : h("span", { class: "rev" }, s.stable),
      s.estimatedCompletion && s.release ? h("span", { class: "num" }, `${left(s.estimatedCompletion)} left`) : "",
      s.startedAt ? h("small", {}, `began ${ago(s.startedAt)}`) : ""),
    guard.approval || !s.reason ? null : h("p", { class: "why" }, tidy(s.reason)),
    approval(guard),
    actions(guard, me, said),
    track(guard),
    section("charts", "Measurements", charts(s.id, guard.evidence, series, redraw)),
    section("evidence", "Evidence", evidence(guard, series, said)),
    comparison(guard),
    alertsPart(alerts),
    section("decisions", "Decisions", guard.decisions.length ? h("ul", { class: "decisions" }, guard.decisions.map(decisionLine)) : h("p", { class: "note" }, "None yet.")),
    more(guard));
}

export const durationOf = (release) => release.endedAt ? span((Date.parse(release.endedAt) - Date.parse(release.startedAt)) / 1000) : "";
