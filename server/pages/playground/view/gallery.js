// @ts-check
/** The clips of this server: search, open, compare, delete. */

import { cssVariables, html, live as liveValue, nothing, repeat, withElement } from "../dom.js";
import { counted, formatAge, formatNumber } from "../format.js";
import { COMPARE } from "../icons.js";
import { found, hasMore, libraryProblem, listMore, live, loadThumbnail, openVideo, search, searchVideos, selectedId, videos, wasListed } from "../store/library.js";
import { signal } from "../vendor/signals-core/signals-core.mjs";
import { showComparison } from "./compare.js";
import { deleteButton } from "./delete.js";

/** Ids of clips that are marked for comparison, two at most. */
const marked = signal(/** @type {string[]} */ ([]));

export function gallery() {
  return html`<div class="gallery-head">
      <h2>Clips</h2>
      <input type="search" aria-label="Search in prompts" placeholder="Search in prompts" .value=${liveValue(search.value)}
        @input=${(/** @type {any} */ event) => searchVideos(event.target.value)}>
      ${compareButton()}
    </div>
    ${libraryProblem.value ? html`<p class="problem" role="alert">${libraryProblem.value}</p>` : nothing}
    ${emptyText()}
    <ul class="cards">${repeat(found.value, ({ id }) => id, card)}</ul>
    ${hasMore.value && !search.value ? html`<button type="button" class="more" @click=${listMore}>Older clips</button>` : nothing}`;
}

function emptyText() {
  if (!wasListed.value || found.value.length > 0) return nothing;
  return html`<p class="hint">${videos.value.length === 0 ? "What you render is kept here." : `No clip has “${search.value}” in its prompt.`}</p>`;
}

function compareButton() {
  const ids = marked.value.filter((id) => videos.value.some((video) => video.id === id));
  if (ids.length === 0) return nothing;
  const show = () => {
    const [left, right] = ids.map((id) => videos.peek().find((video) => video.id === id));
    if (left && right) showComparison(left, right);
  };
  return html`<button type="button" ?disabled=${ids.length < 2} @click=${show}>${COMPARE}${ids.length < 2 ? "Mark another to compare" : "Compare"}</button>
    <button type="button" class="quiet" @click=${() => (marked.value = [])}>Unmark ${counted(ids.length, "clip")}</button>`;
}

/** @param {string} id */
function toggle(id) {
  const others = marked.peek().filter((other) => other !== id);
  marked.value = others.length < marked.peek().length ? others : [...others, id].slice(-2);
}

/** @param {import("../store/library.js").Video} video */
function card(video) {
  const { id, prompt, status, width, height, duration, created_at } = video;
  const isMarked = marked.value.includes(id);
  return html`<li class="card ${status}" aria-current=${selectedId.value === id}>
    <button type="button" class="open" @click=${() => openVideo(id)}>
      <span class="thumb" ${cssVariables({ ratio: (width / height).toFixed(3) })}>${picture(video)}</span>
      <span class="prompt"><span class="unseen">Open: </span>${prompt}</span>
      <span class="meta">${formatNumber(duration)} s, ${width} × ${height}, ${formatAge(created_at)}</span>
    </button>
    <div class="card-actions">
      ${status === "completed" ? html`<button type="button" class="icon-button" aria-label="Mark to compare: ${prompt}" aria-pressed=${isMarked} @click=${() => toggle(id)}>${COMPARE}</button>` : nothing}
      ${deleteButton(video, { isSmall: true })}
    </div>
  </li>`;
}

/** @param {import("../store/library.js").Video} video */
function picture(video) {
  if (video.status === "completed") return html`<img alt="" loading="lazy" ${withElement((element) => fill(element, video.id))}>`;
  if (video.status === "failed") return html`<span class="problem">failed</span>`;
  const { preview, progress } = live.value[video.id] ?? {};
  return html`${preview ? html`<img alt="" src=${preview}>` : nothing}<span class="percent">${progress?.position ? `no. ${progress.position}` : `${progress?.percent ?? video.progress} %`}</span>`;
}

/** @param {Element} element @param {string} id */
async function fill(element, id) {
  const image = /** @type {HTMLImageElement} */ (element);
  image.src = await loadThumbnail(id).catch(() => "");
}
