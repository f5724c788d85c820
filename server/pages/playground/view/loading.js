// @ts-check
/** How far the server is with fetching and loading the model. */

import { cssVariables, html, nothing } from "../dom.js";
import { formatBytes, formatSeconds } from "../format.js";

/** @type {Record<string, string>} */
const STAGES = { fetching: "Fetching the weights", verifying: "Checking the weights", loading: "Loading the model" };

/** @typedef {{stage: string, name: string | null, done_bytes: number | null, total_bytes: number | null, seconds_left: number | null}} Loading */

/** @param {Loading} loading */
export function loadingBar({ stage, name, done_bytes, total_bytes, seconds_left }) {
  const isKnown = done_bytes !== null && total_bytes !== null;
  const percent = isKnown ? Math.floor((100 * done_bytes) / total_bytes) : null;
  return html`<div class="progress loading">
    <b>${STAGES[stage] ?? stage}</b>${name ? html`<span class="name">${name}</span>` : nothing}
    ${percent === null ? nothing : html`<div class="progress-bar" role="progressbar" aria-label=${STAGES[stage] ?? stage} aria-valuemin="0" aria-valuemax="100" aria-valuenow=${percent} ${cssVariables({ percent: `${percent}%` })}></div>`}
    <p>${isKnown ? html`<span>${formatBytes(done_bytes)} of ${formatBytes(total_bytes)}</span>` : nothing}<span>${seconds_left ? `about ${formatSeconds(Math.ceil(seconds_left))} left` : nothing}</span></p>
  </div>`;
}
