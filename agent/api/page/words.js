// SPDX-License-Identifier: Apache-2.0
// States as shape, word and colour; never colour alone.

import { h } from "./dom.js";

// word: [shape, label, tone, order in the list]
const STATES = {
  problem: ["!", "unusable", "bad", 0],
  held: ["■", "held", "bad", 1],
  rollingBack: ["↶", "rolling back", "bad", 2],
  verifying: ["↶", "verifying", "warn", 3],
  waiting: ["◆", "waiting for people", "warn", 4],
  paused: ["‖", "paused", "warn", 5],
  blocked: ["◇", "may not start", "warn", 6],
  releasing: ["▶", "releasing", "go", 7],
  promoting: ["▶", "promoting", "go", 8],
  baking: ["◕", "baking", "go", 9],
  rolledBack: ["✕", "rolled back", "bad", 10],
  adopting: ["…", "taking over", "rest", 11],
  suspended: ["○", "suspended", "rest", 12],
  stable: ["●", "stable", "good", 13],
};
const EVIDENCE = {
  ok: ["✓", "ok", "good"],
  pending: ["◔", "pending", "warn"],
  firing: ["✕", "firing", "bad"],
  noData: ["?", "no data", "warn"],
  error: ["!", "error", "warn"],
  waiting: ["…", "not measured", "rest"],
};

const badge = (entry) =>
  h("span", { class: `badge ${entry[2]}` }, h("span", { "aria-hidden": "true", class: "shape" }, entry[0]), entry[1]);

export const stateBadge = (state) => badge(STATES[state] || ["?", state, "rest"]);
export const verdictBadge = (state) => badge(EVIDENCE[state] || ["?", state, "rest"]);
export const blindBadge = () => badge(["⊘", "blind", "warn"]);
export const order = (state) => (STATES[state] || [0, 0, 0, 99])[3];
export const stateNames = () => Object.entries(STATES).map(([key, entry]) => [key, entry[1]]);
export const isMoving = (state) =>
  ["held", "rollingBack", "verifying", "waiting", "paused", "releasing", "promoting", "baking"].includes(state);

export const alertBadge = (status) => badge(status === "firing" ? ["✕", "firing", "bad"] : ["●", status, "good"]);
const OUTCOMES = { promoted: ["●", "promoted", "good"], rolled_back: ["✕", "rolled back", "bad"], rolledBack: ["✕", "rolled back", "bad"] };
export const outcomeBadge = (outcome) =>
  badge(outcome ? OUTCOMES[outcome] || ["○", outcome, "rest"] : ["▶", "running", "go"]);
