// SPDX-License-Identifier: Apache-2.0
// The two questions the page asks: who are you, and are you sure.

import { $ } from "./dom.js";
import * as session from "./session.js";

// Resolves with who the agent takes the caller for.
export function logIn(why) {
  const dialog = $("login");
  const input = $("login-token");
  $("login-error").textContent = why || "";
  input.value = "";
  if (!dialog.open) dialog.showModal();
  input.focus();
  return new Promise((resolve) => {
    dialog.oncancel = (event) => event.preventDefault();
    dialog.querySelector("form").onsubmit = async (event) => {
      event.preventDefault();
      session.setToken(input.value.trim());
      try {
        const me = await session.get("/api/v1/whoami");
        input.value = "";
        dialog.close();
        resolve(me);
      } catch (error) {
        session.setToken("");
        input.value = "";
        $("login-error").textContent = error.status === 401 ? "This token is not accepted." : error.message;
        input.focus();
      }
    };
  });
}

// Asks once, says what will happen to traffic, carries it out. Resolves with the answer, or null.
export function confirm({ title, consequence, label, danger, run }) {
  const dialog = $("ask");
  const yes = $("ask-yes");
  $("ask-title").textContent = title;
  $("ask-what").textContent = consequence;
  $("ask-reason").value = "";
  $("ask-error").textContent = "";
  yes.textContent = label;
  yes.className = danger ? "primary danger" : "primary";
  yes.disabled = false;
  dialog.showModal();
  $("ask-reason").focus();
  return new Promise((resolve) => {
    $("ask-no").onclick = () => dialog.close();
    dialog.onclose = () => resolve(null);
    dialog.querySelector("form").onsubmit = async (event) => {
      event.preventDefault();
      yes.disabled = true;
      try {
        const answer = await run($("ask-reason").value.trim());
        dialog.onclose = null;
        dialog.close();
        resolve(answer);
      } catch (error) {
        $("ask-error").textContent = error.message;
        yes.disabled = false;
      }
    };
  });
}
