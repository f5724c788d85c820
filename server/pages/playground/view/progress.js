// @ts-check
/** The progress of a video: its place in the queue, or its stage and step, the percent done and the seconds left. */

import { cssVariables, html } from "../dom.js";
import { formatSeconds } from "../format.js";
import { live } from "../store/library.js";

/** @type {Record<string, string>} */
const STAGES = { encode: "Reading the prompt", stage_1: "Composing", upsample: "Upscaling", stage_2: "Refining", decode: "Decoding" };

/** @param {import("../store/library.js").Video} video */
export function progressBar(video) {
  const progress = live.value[video.id]?.progress;
  const percent = progress?.percent ?? video.progress;
  const left = progress?.seconds_left;
  return html`<div class="progress">
    <div class="progress-bar" role="progressbar" aria-label="Progress" aria-valuemin="0" aria-valuemax="100" aria-valuenow=${percent} ${cssVariables({ percent: `${percent}%` })}></div>
    <p><span class="stage-name" aria-live="polite">${stage(video, progress ?? null)}</span><span>${left ? `about ${formatSeconds(Math.ceil(left))} left` : ""}</span><span>${percent} %</span></p>
  </div>`;
}

/** @param {import("../store/library.js").Video} video @param {import("../ltx23.js").Progress | null} progress */
function stage({ status }, progress) {
  if (progress?.position) return progress.position === 1 ? "Next in the queue" : `Number ${progress.position} in the queue`;
  if (!progress?.stage) return status === "queued" ? "In the queue" : "Starting";
  const { stage, step, steps } = progress;
  const name = STAGES[stage] ?? stage;
  return steps > 1 && stage.startsWith("stage_") ? `${name}, step ${Math.min(step + 1, steps)} of ${steps}` : name;
}
