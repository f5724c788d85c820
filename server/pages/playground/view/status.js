// @ts-check
/** The status of the server, for its operator: devices, queue, memory, restarts, enhancer. */

import { cssVariables, html, nothing } from "../dom.js";
import { formatBytes, formatSeconds } from "../format.js";
import { health, isReachable, model } from "../store/server.js";
import { showDialog } from "./dialog.js";

export function showStatus() {
  showDialog({ name: "status", title: "Server", body });
}

function body() {
  const state = health.value;
  if (!state) return html`<p>The server has not answered yet.</p>`;
  const { status, uptime_s, queue, workers, worker_restarts, enhancer, error } = state;
  return html`<div class="stack">
    ${isReachable.value ? nothing : html`<p class="problem">The server cannot be reached. This is what it said last.</p>`}
    ${error ? html`<p class="problem">${error}</p>` : nothing}
    ${table([
      ["State", status],
      ["Up for", formatSeconds(Math.round(uptime_s))],
      ["Queue", `${queue.running} rendering, ${queue.depth} of ${queue.capacity} waiting`],
      ["Restarts of workers", String(worker_restarts)],
      ["Prompt enhancer", [enhancer.status, ...enhancer.reasons].join(": ")],
    ])}
    ${workers.map(worker)}
    ${model.value ? modelFacts(model.value) : nothing}
    ${["rehearsal", "fast"].filter((mode) => state[mode]).map((mode) => html`<p class="adjusted">The mode for tests <code>${mode}</code> is on.</p>`)}
  </div>`;
}

/** @param {[string, unknown][]} rows */
const table = (rows) => html`<dl class="facts rows">${rows.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;

/** @param {Record<string, any>} worker */
function worker({ device, name, status, running, memory, speed, fp8, restarts, error }) {
  return html`<section class="worker"><h3>${name ?? device}</h3>
    ${error ? html`<p class="problem">${error}</p>` : nothing}
    ${table([
      ["State", running ? "rendering" : status],
      ["Restarts", String(restarts)],
      ...(speed ? [/** @type {[string, unknown]} */ (["Speed", [speed.mode, ...speed.warm_sizes].join(", ")])] : []),
      ...(fp8?.linears ? [/** @type {[string, unknown]} */ (["FP8", `${fp8.mode}, ${fp8.linears} layers`])] : []),
      ...(memory ? [/** @type {[string, unknown]} */ (["Host memory", formatBytes(memory.resident_bytes)])] : []),
      ...(memory?.device_total_bytes ? [/** @type {[string, unknown]} */ (["Device memory", meter(memory.device_allocated_bytes, memory.device_total_bytes)])] : []),
    ])}</section>`;
}

/** @param {number} used @param {number} total */
const meter = (used, total) =>
  html`<span class="meter" ${cssVariables({ percent: `${(100 * used) / total}%` })}></span> ${formatBytes(used)} of ${formatBytes(total)}`;

/** @param {Record<string, any>} model */
function modelFacts({ checkpoint, precision, size_bytes, memory, license, encoder, warnings }) {
  const sizes = Object.entries(/** @type {Record<string, number>} */ (size_bytes ?? {})).map(([dtype, bytes]) => `${formatBytes(bytes)} ${dtype}`);
  return html`<section class="worker"><h3>Model</h3>
    ${warnings.map((/** @type {string} */ warning) => html`<p class="adjusted">${warning}</p>`)}
    ${table([
      ["Weights", [checkpoint, ...sizes].filter(Boolean).join(", ")],
      ["Precision", precision],
      ["Encoder", encoder],
      ...(memory ? [/** @type {[string, unknown]} */ (["Memory", `${memory.level}; the default clip needs ${formatBytes(memory.default_clip_peak_bytes)} of ${formatBytes(memory.capacity_bytes)}`])] : []),
      ...(license?.length ? [/** @type {[string, unknown]} */ (["Licences", license.map((/** @type {any} */ { name }) => name).join(", ")])] : []),
    ])}</section>`;
}
