// @ts-check
/** The clip that is shown: its frame before it is rendered, its previews meanwhile, and the player afterwards. */

import { cssVariables, html, nothing } from "../dom.js";
import { counted, formatBytes, formatNumber, formatSeconds } from "../format.js";
import { CODE, CONTINUE, DOWNLOAD, RETAKE, REUSE, TRASH } from "../icons.js";
import { checked, draft, source } from "../store/draft.js";
import { deleteVideo, live, selected, selectedId } from "../store/library.js";
import { directVideo, reuse } from "../store/runs.js";
import { features } from "../store/server.js";
import { adjustment } from "./field.js";
import { progressBar } from "./progress.js";
import { showSnippets } from "./snippets.js";
import { timeline } from "./timeline.js";

export function viewer() {
  const video = selected.value;
  return html`<div class="screen">${video ? screen(video) : emptyFrame()}</div>
    ${timeline()}
    ${video ? details(video) : nothing}`;
}

function emptyFrame() {
  const { width, height } = checked.value ?? draft.value;
  return html`<div class="frame empty" ${ratio(width, height)}>
    <p><b>${width} × ${height}</b>${source.value ? nothing : html`<br>Your clip will be here.`}</p>
  </div>`;
}

/** @param {number} width @param {number} height */
const ratio = (width, height) => cssVariables({ ratio: (width / height).toFixed(4) });

/** @param {import("../store/library.js").Video} video */
function screen(video) {
  const { id, width, height, status, url, error, prompt } = video;
  if (status === "completed" && url) {
    return html`<div class="frame" ${ratio(width, height)}>
      <video src=${url} controls loop playsinline autoplay .muted=${true} aria-label=${prompt}></video>
    </div>`;
  }
  if (status === "failed") {
    return html`<div class="frame failed" ${ratio(width, height)}><p role="alert"><b>This clip failed.</b><br>${error?.message}</p></div>`;
  }
  const preview = live.value[id]?.preview;
  return html`<div class="frame" ${ratio(width, height)}>
    ${preview ? html`<img class="preview" src=${preview} alt="What the clip looks like so far">` : html`<p class="waiting">${status === "queued" ? "Waiting" : "No picture yet"}</p>`}
  </div>
  ${progressBar(video)}`;
}

/** @param {import("../store/library.js").Video} video */
function details(video) {
  const { id, prompt, original_prompt, enhanced, adjustments, status } = video;
  const isDone = status === "completed";
  return html`<div class="details">
    <div class="actions">
      ${isDone ? html`<a class="button strong" href=${video.url} download="${fileName(video)}">${DOWNLOAD}Download</a>` : nothing}
      <button type="button" @click=${() => reuse(video)}>${REUSE}Use these settings</button>
      ${isDone && features.value.has("retake") ? html`<button type="button" @click=${() => directVideo(video, "retake")}>${RETAKE}Retake</button>` : nothing}
      ${isDone && features.value.has("continue") ? html`<button type="button" @click=${() => directVideo(video, "continue")}>${CONTINUE}Continue</button>` : nothing}
      <button type="button" @click=${() => showSnippets(video)}>${CODE}Copy as code</button>
      <button type="button" class="danger" @click=${() => deleteVideo(id)}>${TRASH}${isDone || status === "failed" ? "Delete" : "Cancel"}</button>
      <button type="button" class="quiet" @click=${() => (selectedId.value = null)}>Close</button>
    </div>
    <p class="prompt">${prompt}</p>
    ${enhanced ? html`<details><summary>Rewritten from</summary><p class="prompt">${original_prompt}</p></details>` : nothing}
    ${facts(video)}
    ${adjustments.length > 0 ? html`<details open><summary>${counted(adjustments.length, "value")} adjusted</summary>
      ${adjustments.map((changed) => html`<div><code>${changed.field}</code> ${adjustment(changed)}</div>`)}</details>` : nothing}
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
