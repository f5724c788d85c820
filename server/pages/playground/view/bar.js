// @ts-check
/** The bar at the top: the model, the state of the server, and switches. */

import { html, nothing } from "../dom.js";
import { KEY, THEME } from "../icons.js";
import { apiKey, health, isReachable, model, needsKey } from "../store/server.js";
import { switchTheme, theme } from "../theme.js";
import { askForKey } from "./key.js";
import { showStatus } from "./status.js";

export function bar() {
  return html`<h1>LTX <span>2.3</span></h1>
    <p class="model">${modelText()}</p>
    <div class="switches">
      <span class="unseen" role="status">${stateText()}</span>
      <button type="button" class="state ${stateClass()}" title="Status of the server" @click=${showStatus}><i aria-hidden="true"></i>${stateText()}</button>
      <a class="button quiet" href="docs">API</a>
      ${apiKey.value || needsKey.value ? html`<button type="button" class="icon-button tall" aria-label="API key" @click=${askForKey}>${KEY}</button>` : nothing}
      <button type="button" class="icon-button tall" aria-label="Theme: ${theme.value}" title="Theme: ${theme.value}" @click=${switchTheme}>${THEME}</button>
    </div>`;
}

function modelText() {
  const { is_tiny, checkpoint, device } = model.value ?? {};
  return [is_tiny ? "tiny model" : checkpoint, device].filter(Boolean).join(", ");
}

function stateClass() {
  if (!isReachable.value) return "off";
  return health.value?.status === "ok" ? "ok" : "wait";
}

/** @type {Record<string, string>} */
const STATES = { ok: "Ready", loading: "Loading", busy: "Queue is full", draining: "Stopping", failed: "Failed" };

function stateText() {
  if (!isReachable.value) return "Offline";
  if (!health.value) return "Connecting";
  const { status, queue, loading } = health.value;
  if (status === "loading" && loading?.total_bytes) {
    return `Loading, ${Math.floor((100 * loading.done_bytes) / loading.total_bytes)} %`;
  }
  const waiting = queue.depth + queue.running;
  return status === "ok" && waiting > 0 ? (queue.depth > 0 ? `Rendering, ${queue.depth} waiting` : "Rendering") : (STATES[status] ?? status);
}
