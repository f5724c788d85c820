// @ts-check
/** Two clips side by side, in step. */

import { cssVariables, html } from "../dom.js";
import { formatNumber } from "../format.js";
import { BACK, FORWARD } from "../icons.js";
import { showDialog } from "./dialog.js";

/** How far two clips may drift apart before the second one is moved, in seconds. */
const MAX_DRIFT_S = 0.04;

/** @param {import("../store/library.js").Video} left @param {import("../store/library.js").Video} right */
export function showComparison(left, right) {
  showDialog({ name: "compare", title: "Compare", body: () => body(left, right) });
}

/** @param {import("../store/library.js").Video} left @param {import("../store/library.js").Video} right */
function body(left, right) {
  return html`<div class="stack">
    <div class="two">${[left, right].map(side)}</div>
    <div class="row compare-controls">
      <button type="button" class="strong" @click=${togglePlay}>Play or pause</button>
      <button type="button" @click=${(/** @type {Event} */ event) => step(event, -1)} aria-label="One frame back" title="One frame back">${BACK}</button>
      <button type="button" @click=${(/** @type {Event} */ event) => step(event, 1)} aria-label="One frame forward" title="One frame forward">${FORWARD}</button>
      <input type="range" aria-label="Time" min="0" max=${Math.min(left.duration, right.duration)} step="0.01" value="0" @input=${seek}>
    </div>
  </div>`;
}

/** @param {import("../store/library.js").Video} video @param {number} index */
function side({ url, prompt, seed, width, height, fps, duration }, index) {
  return html`<figure>
    <video src=${url ?? ""} loop playsinline preload="auto" .muted=${index === 1} data-fps=${fps} aria-label=${prompt}
      ${cssVariables({ ratio: (width / height).toFixed(3) })} @timeupdate=${index === 0 ? follow : null}></video>
    <figcaption>${prompt}<br><span class="meta">seed ${seed}, ${width} × ${height}, ${formatNumber(duration)} s</span></figcaption>
  </figure>`;
}

/** @param {Event} event @returns {HTMLVideoElement[]} */
const videosOf = (event) => [.../** @type {Element} */ (event.target).closest("dialog")?.querySelectorAll("video") ?? []];

/** @param {Event} event */
function togglePlay(event) {
  const [first, second] = videosOf(event);
  second.currentTime = first.currentTime;
  if (first.paused) [first, second].forEach((video) => video.play());
  else [first, second].forEach((video) => video.pause());
}

/** @param {Event} event @param {number} frames */
function step(event, frames) {
  const videos = videosOf(event);
  const now = videos[0].currentTime;
  videos.forEach((video) => {
    video.pause();
    video.currentTime = Math.max(0, now + frames / Number(videos[0].dataset.fps));
  });
}

/** @param {Event} event */
function seek(event) {
  const { value } = /** @type {HTMLInputElement} */ (event.target);
  videosOf(event).forEach((video) => (video.currentTime = Number(value)));
}

/** Keep the second clip with the first while they play; a step moves both. @param {Event} event */
function follow(event) {
  const [first, second] = videosOf(event);
  if (!first.paused && Math.abs(first.currentTime - second.currentTime) > MAX_DRIFT_S && first.currentTime <= second.duration) second.currentTime = first.currentTime;
  const slider = /** @type {HTMLInputElement | null} */ (first.closest("dialog")?.querySelector("input[type=range]") ?? null);
  if (slider) slider.value = String(first.currentTime);
}
