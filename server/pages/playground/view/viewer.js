// @ts-check
/** The clip that is shown: its frame before it is rendered, its previews meanwhile, and the player afterwards. */

import { cssVariables, html, nothing } from "../dom.js";
import { counted, formatBytes, formatNumber, formatSeconds } from "../format.js";
import { CODE, CONTINUE, DOWNLOAD, RETAKE, REUSE } from "../icons.js";
import { checked, draft, ownSound, pictures, source } from "../store/draft.js";
import { live, selected, selectedId } from "../store/library.js";
import { directVideo, reuse } from "../store/runs.js";
import { features, health } from "../store/server.js";
import { deleteButton } from "./delete.js";
import { adjustment } from "./field.js";
import { fieldTitle } from "./field-titles.js";
import { loadingBar } from "./loading.js";
import { progressBar } from "./progress.js";
import { showSnippets } from "./snippets.js";
import { timeline } from "./timeline.js";

export function viewer() {
  const video = selected.value;
  return html`<div class="screen">${video ? screen(video) : emptyFrame()}</div>
    ${video === null || pictures.value.length > 0 || ownSound.value || source.value ? timeline() : nothing}
    ${video ? details(video) : nothing}`;
}

function emptyFrame() {
  const { width, height } = source.value ?? checked.value ?? draft.value;
  if (source.value?.url) return html`<div class="frame" ${ratio(width, height)}>${player(source.value.url, source.value.title)}</div>`;
  return html`<div class="frame empty" ${ratio(width, height)}>
    ${health.value?.loading ? loadingBar(health.value.loading) : html`<p><b>${width} × ${height}</b><br>Your clip will be here.</p>`}
  </div>`;
}

const MUTED = "ltx23-muted";
const WANTS_LITTLE_MOTION = matchMedia("(prefers-reduced-motion: reduce)");

/** @param {string} url @param {string} label */
function player(url, label) {
  const keepVolume = (/** @type {any} */ event) => localStorage.setItem(MUTED, event.target.muted ? "yes" : "no");
  return html`<video src=${url} controls loop playsinline ?autoplay=${!WANTS_LITTLE_MOTION.matches} .muted=${localStorage.getItem(MUTED) === "yes"} @volumechange=${keepVolume} aria-label=${label}></video>`;
}

/** @param {number} width @param {number} height */
const ratio = (width, height) => cssVariables({ ratio: (width / height).toFixed(4) });

/** @param {import("../store/library.js").Video} video */
function screen(video) {
  const { id, width, height, status, url, error, prompt } = video;
  if (status === "completed" && url) {
    return html`<div class="frame" ${ratio(width, height)}>${player(url, prompt)}</div>`;
  }
  if (status === "failed") {
    return html`<div class="frame failed" ${ratio(width, height)}><p role="alert"><b>This clip failed.</b><br>${error?.message}</p></div>`;
  }
  const { preview, progress } = live.value[id] ?? {};
  return html`<div class="frame" ${ratio(width, height)}>
    ${preview ? html`<img class="preview" src=${preview} alt="What the clip looks like so far">` : html`<p class="waiting">${(progress?.status ?? status) === "queued" ? "Waiting" : "No picture yet"}</p>`}
  </div>
  ${progressBar(video)}`;
}

/** @param {import("../store/library.js").Video} video */
function details(video) {
  const { prompt, original_prompt, enhanced, adjustments, status } = video;
  const isDone = status === "completed";
  return html`<div class="details">
    <div class="actions">
      ${isDone ? html`<a class="button strong" href=${video.url} download="${fileName(video)}">${DOWNLOAD}Download</a>` : nothing}
      <button type="button" @click=${() => reuse(video)}>${REUSE}Use these settings</button>
      ${isDone && features.value.has("retake") ? html`<button type="button" @click=${() => directVideo(video, "retake")}>${RETAKE}Retake</button>` : nothing}
      ${isDone && features.value.has("continue") ? html`<button type="button" @click=${() => directVideo(video, "continue")}>${CONTINUE}Continue</button>` : nothing}
      <button type="button" @click=${() => showSnippets(video)}>${CODE}Copy as code</button>
      ${deleteButton(video)}
      <button type="button" class="quiet" @click=${() => (selectedId.value = null)}>Close</button>
    </div>
    <p class="prompt">${prompt}</p>
    ${enhanced ? html`<details><summary>Rewritten from</summary><p class="prompt">${original_prompt}</p></details>` : nothing}
    ${facts(video)}
    ${adjustments.length > 0 ? html`<details open><summary>${counted(adjustments.length, "value")} adjusted</summary>
      ${adjustments.map((changed) => html`<div><span class="label">${fieldTitle(changed.field)}</span>${adjustment(changed)}</div>`)}</details>` : nothing}
  </div>`;
}

/** @param {import("../store/library.js").Video} video */
export const fileName = ({ seed, video_format, id }) => `ltx-${seed}-${id.slice(-6)}.${video_format}`;

/** @param {import("../store/library.js").Video} video */
function facts(video) {
  const { width, height, num_frames, fps, duration, seed, size_bytes, inference_time_s, has_audio } = video;
  const rows = [
    ["Size", `${width} × ${height}`],
    ["Length", `${num_frames} frames, ${formatNumber(duration)} s at ${formatNumber(fps)} fps`],
    ["Seed", String(seed)],
    ["Sound", has_audio ? "yes" : "no"],
    ...(size_bytes > 0 ? [["File", formatBytes(size_bytes)]] : []),
    ...(inference_time_s !== null ? [["Rendered in", formatSeconds(inference_time_s)]] : []),
  ];
  return html`<dl class="facts">${rows.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}
