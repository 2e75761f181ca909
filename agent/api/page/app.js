// SPDX-License-Identifier: Apache-2.0
// What is shown is a function of the rows, the open guard and the address. Events change the rows;
// drawing happens at most once a frame.

import { $, clock, h, now, setServerTime, swap } from "./dom.js";
import { detail } from "./detail.js";
import { logIn } from "./dialogs.js";
import { filterBar, list, summary } from "./fleet.js";
import * as pages from "./pages.js";
import * as session from "./session.js";
import { isMoving } from "./words.js";

const REFRESH_OPEN = 5000;

const rows = new Map();
const open = { id: "", data: null, error: "" };
let me = { name: "", verbs: {}, groups: [] };
let loaded = false;
let loadError = "";
let cutSince = "";
let stopFollowing = () => {};
let frame = 0;

const main = $("main");
const view = () => location.hash.replace(/^#\/?/, "").split("/");
const said = (text) => {
  $("said").textContent = "";
  setTimeout(() => { $("said").textContent = text; }, 30);
  clearTimeout(said.timer);
  said.timer = setTimeout(() => { $("said").textContent = ""; }, 8000);
};

function schedule() {
  if (!frame) frame = requestAnimationFrame(() => { frame = 0; draw(); });
}

function shell() {
  if ($("fleet")) return;
  main.replaceChildren(
    h("h1", { class: "hidden", tabindex: "-1" }, "Fleet"),
    h("div", { id: "summary" }), h("div", { id: "filters" }),
    h("div", { class: "split" }, h("div", { id: "fleet" }), h("article", { id: "detail", hidden: true, "aria-labelledby": "detail-title" })));
}

function drawFleet() {
  shell();
  if (loadError) return swap($("fleet"), h("div", { class: "empty" }, h("h2", {}, "The list could not be loaded"), h("p", { class: "error", role: "alert" }, loadError), h("p", {}, h("button", { type: "button", on: { click: load } }, "Try again"))));
  if (!loaded) return swap($("fleet"), h("p", { class: "note", role: "status" }, "Loading…"));
  swap($("summary"), summary(rows.values()));
  const names = [...rows.values()].map((r) => `${r.namespace} ${r.team || ""}`).sort().join();
  if ($("filters").dataset.names !== names || !$("filters").childElementCount) {
    $("filters").dataset.names = names;
    swap($("filters"), filterBar(rows.values(), refilter));
  }
  list($("fleet"), rows, open.id, refilter);
}

const refilter = () => { $("filters").dataset.names = ""; schedule(); };

function drawDetail() {
  const box = $("detail");
  box.hidden = !open.id;
  main.classList.toggle("with-detail", Boolean(open.id));
  if (!open.id) return box.replaceChildren();
  if (open.error) return swap(box, h("p", { class: "error", role: "alert" }, open.error), h("p", {}, h("a", { href: "#/" }, "Back to the fleet")));
  if (!open.data) return swap(box, h("p", { class: "note", role: "status" }, "Loading…"));
  return detail(box, { ...open.data, said, redraw: schedule });
}

const PAGES = { history: pages.history, alerts: pages.alerts, rules: pages.rules, notices: pages.notices };
const OPEN = { d: pages.decision, r: pages.release };  // one of them, by id
let drawn = "";

function draw() {
  const [name, ...rest] = view();
  for (const a of document.querySelectorAll("nav a")) {
    const current = a.dataset.view === ({ "": "fleet", g: "fleet", r: "history", d: "history" }[name] ?? name);
    if (current) a.setAttribute("aria-current", "page"); else a.removeAttribute("aria-current");
  }
  if (PAGES[name] || OPEN[name]) {
    if (drawn === location.hash) return;
    drawn = location.hash;
    pages.shown.redraw = null;
    main.classList.remove("with-detail");
    // A box of its own: what comes late draws where nobody looks any more.
    const box = h("div", { class: "page" }, h("p", { class: "note", role: "status" }, "Loading…"));
    main.replaceChildren(box);
    const page = OPEN[name] ? (to) => OPEN[name](to, decodeURIComponent(rest[0] || ""), { said }) : PAGES[name];
    page(box, { said }).then(() => box.querySelector("h1")?.focus({ preventScroll: true }),
      (error) => swap(box, h("h1", { tabindex: "-1" }, "This could not be shown"), h("p", { class: "error", role: "alert" }, error.message), h("p", {}, h("a", { href: "#/" }, "Back to the fleet"))));
    return;
  }
  drawn = "";
  pages.shown.redraw = null;
  drawFleet();
  drawDetail();
}

async function loadRows() {
  const fresh = new Map();
  let next = "";
  do {
    const page = await session.get(`/api/v1/guards?limit=500${next ? `&continue=${encodeURIComponent(next)}` : ""}`);
    for (const row of page.items) fresh.set(row.id, row);
    next = page.next;
  } while (next);
  rows.clear();
  for (const [id, row] of fresh) rows.set(id, row);
}

async function load() {
  try {
    const fleet = await session.get("/api/v1/health");
    setServerTime(fleet.now);
    document.title = `rollguard · ${fleet.cluster}`;
    await loadRows();
    loaded = true;
    loadError = "";
  } catch (error) {
    if (error.status !== 401) loadError = error.message;
  }
  schedule();
}

// What the caller may do in a namespace; asked again after a minute.
const rights = new Map();
function mayIn(namespace) {
  const known = rights.get(namespace);
  if (known && Date.now() - known.asked < 60000) return known.answer;
  const answer = session.get(`/api/v1/whoami?namespace=${encodeURIComponent(namespace)}`);
  rights.set(namespace, { answer, asked: Date.now() });
  answer.catch(() => rights.delete(namespace));
  return answer;
}

async function loadOpen() {
  const id = open.id;
  if (!id) return;
  try {
    const [guard, series, alerts, caller] = await Promise.all([
      session.get(`/api/v1/guards/${id}`), session.get(`/api/v1/guards/${id}/series`),
      session.get(`/api/v1/alerts?guard=${id}&limit=10`), mayIn(id.split("/")[0])]);
    if (open.id !== id) return;
    open.data = { guard, series, alerts: alerts.items, me: caller };
    open.error = "";
    rows.set(id, guard.summary);
  } catch (error) {
    if (open.id === id) open.error = error.status === 404 ? "This guard is gone." : error.message;
  }
  schedule();
}
let soon = 0;
const loadOpenSoon = () => { if (!soon) soon = setTimeout(() => { soon = 0; loadOpen(); }, 150); };

function onEvent(type, data) {
  if (type === "gap") { load(); loadOpenSoon(); return; }
  if (type === "guard") rows.set(data.id, data);
  if (type === "removed") rows.delete(data.guard);
  const id = data.id && type === "guard" ? data.id : data.guard;
  if (open.id && (id === open.id || type === "alert")) loadOpenSoon();
  schedule();
}

function follow() {
  stopFollowing();
  stopFollowing = session.follow({
    onEvent,
    onOpen: (again) => {
      const live = $("live");
      live.textContent = "live";
      live.className = "live on";
      $("stale").hidden = true;
      cutSince = "";
      if (again || !loaded) { load(); loadOpenSoon(); }
    },
    onRefused: () => {
      $("live").textContent = "not live: you may not watch guards";
      $("live").className = "live off";
    },
    onCut: (why) => {
      cutSince = cutSince || clock(now());
      $("live").textContent = "disconnected";
      $("live").className = "live off";
      $("stale").hidden = false;
      $("stale").textContent = `Disconnected (${why}). What you see is as of ${cutSince}; trying again.`;
    },
  });
}

async function begin(identity) {
  me = identity;
  $("who").textContent = me.name;
  $("leave").hidden = me.kind === "certificate";
  $("leave").textContent = me.kind === "anonymous" ? "Log in" : "Log out";
  follow();
  await load();
  route();
}

function leave(why) {
  stopFollowing();
  session.setToken("");
  rows.clear();
  rights.clear();
  loaded = false;
  open.data = null;
  $("who").textContent = "";
  $("live").textContent = "not logged in";
  $("live").className = "live";
  $("stale").hidden = true;
  schedule();
  logIn(why).then(begin);
}

function route() {
  const [name, ns, guard] = view();
  const id = name === "g" && guard ? `${decodeURIComponent(ns)}/${decodeURIComponent(guard)}` : "";
  if (id !== open.id) {
    const from = open.id;
    Object.assign(open, { id, data: null, error: "" });
    if (id) loadOpen().then(() => requestAnimationFrame(() => $("detail-title")?.focus({ preventScroll: innerWidth > 900 })));
    else if (from) requestAnimationFrame(() => document.querySelector(`a.row[data-key="${CSS.escape(from)}"]`)?.focus());
  }
  draw();
}

function theme() {
  const root = document.documentElement;
  const saved = localStorage.getItem("rollguard-theme");
  if (saved) root.dataset.theme = saved;
  $("theme").onclick = () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    localStorage.setItem("rollguard-theme", root.dataset.theme);
  };
}

theme();
$("leave").onclick = () => leave("");
session.whenExpired(() => { if (me.name && !$("login").open) leave("The token is not accepted any more. Log in again."); });
addEventListener("hashchange", route);
addEventListener("resize", () => { schedule(); pages.shown.redraw?.(); });
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && open.id && !document.querySelector("dialog[open]")) location.hash = "#/";
});
// What rules measure is no event; an open guard that moves is asked again now and then.
setInterval(() => {
  if (document.hidden || !open.id || !open.data) return;
  if (isMoving(open.data.guard.summary.state)) loadOpen();
}, REFRESH_OPEN);
setInterval(() => { if (!document.hidden && loaded) schedule(); }, 1000);
schedule();
// Certificates and agents that let everybody read need no token.
session.get("/api/v1/whoami").then(begin, (error) => leave(error.status === 401 ? "" : error.message));
