// @ts-check
/** What is made: a new clip, a part of a clip anew, or what follows one. */

import { html, live, nothing } from "../dom.js";
import { formatNumber } from "../format.js";
import { CLOSE } from "../icons.js";
import { changeSource, source } from "../store/draft.js";
import { features } from "../store/server.js";
import { dropSource, takeClip } from "../store/source.js";
import { field, notes } from "./field.js";

const WORKS = /** @type {const} */ ([
  { work: "retake", title: "Retake", hint: "Render a part of a clip anew" },
  { work: "continue", title: "Continue", hint: "Render what follows a clip" },
]);

export function sourceFields() {
  const works = WORKS.filter(({ work }) => features.value.has(work));
  if (works.length === 0) return nothing;
  const current = source.value;
  return html`<div class="works" role="group" aria-label="What to make">
      <button type="button" aria-pressed=${current === null} @click=${dropSource}>New clip</button>
      ${works.map(({ work, title, hint }) => workButton(work, title, hint))}
    </div>
    ${current ? sourceCard(current) : nothing}`;
}

/** @param {"retake" | "continue"} work @param {string} title @param {string} hint */
function workButton(work, title, hint) {
  const current = source.value;
  if (current) {
    return html`<button type="button" title=${hint} aria-pressed=${current.work === work} @click=${() => changeSource({ work })}>${title}</button>`;
  }
  const onChosen = (/** @type {any} */ event) => event.target.files[0] && takeClip(event.target.files[0], work);
  return html`<label class="file" title="${hint}: choose a file, or a clip below">${title}
    <input type="file" accept="video/mp4,video/webm,video/quicktime" aria-label="${title}: choose a clip" @change=${onChosen}></label>`;
}

/** @param {import("../store/draft.js").Source} source */
function sourceCard(source) {
  const { title, work, width, height, duration } = source;
  return html`<div class="source">
    <div class="row">
      <span class="name" title=${title}>${title}</span>
      <span class="facts">${width} × ${height}, ${formatNumber(duration)} s</span>
      <button type="button" class="icon-button" aria-label="Make a new clip instead" @click=${dropSource}>${CLOSE}</button>
    </div>
    ${work === "retake" ? retakeFields(source) : continueFields(source)}
    ${notes("source-notes", "video_b64", "from_video")}
  </div>`;
}

/** @param {import("../store/draft.js").Source} source */
function retakeFields({ start, end, duration, renders }) {
  const seconds = (/** @type {"start" | "end"} */ name, /** @type {number} */ value) => html`<input type="number" class="short" id="retake-${name}"
    aria-label="${name === "start" ? "Start" : "End"} of the part in seconds" aria-describedby="retake-notes" min="0" max=${duration} step="any" .value=${live(formatNumber(value))}
    @change=${(/** @type {any} */ event) => changeSource({ [name]: Number(event.target.value) })}>`;
  return html`${field({
    id: "retake",
    label: "Part to render anew",
    isGroup: true,
    names: ["retake"],
    input: html`<div class="row wrap">${seconds("start", start)}<span>to</span>${seconds("end", end)}<span class="unit">s</span>
      <select aria-label="What to render anew" @change=${(/** @type {any} */ event) => changeSource({ renders: event.target.value })}>
        <option value="both" ?selected=${renders === "both"}>picture, sound</option>
        <option value="video" ?selected=${renders === "video"}>picture only</option>
        <option value="audio" ?selected=${renders === "audio"}>sound only</option>
      </select></div>`,
  })}`;
}

/** @param {import("../store/draft.js").Source} source */
function continueFields({ seconds }) {
  return field({
    id: "continue",
    label: "Seconds to add",
    names: ["continue"],
    input: html`<input type="number" class="short" id="continue" aria-describedby="continue-notes" min="0.4" max="20" step="any" .value=${live(formatNumber(seconds))}
      @change=${(/** @type {any} */ event) => changeSource({ seconds: Number(event.target.value) })}>`,
  });
}
