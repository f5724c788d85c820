// @ts-check
/** The button that cancels a render at once, and deletes a clip at the second press. */

import { html } from "../dom.js";
import { TRASH } from "../icons.js";
import { deleteVideo, isFinished } from "../store/library.js";
import { signal } from "../vendor/signals-core/signals-core.mjs";

const armedId = signal(/** @type {string | null} */ (null));

/** @param {import("../store/library.js").Video} video @param {{isSmall?: boolean}} [options] */
export function deleteButton(video, { isSmall = false } = {}) {
  const { id, prompt } = video;
  const isArmed = armedId.value === id;
  const word = isFinished(video) ? (isArmed ? "Delete for good" : "Delete") : "Cancel";
  const press = () => {
    if (isFinished(video) && !isArmed) {
      armedId.value = id;
      return;
    }
    armedId.value = null;
    deleteVideo(id);
  };
  const disarm = () => {
    if (armedId.peek() === id) armedId.value = null;
  };
  const label = `${word}: ${prompt}`;
  return isSmall
    ? html`<button type="button" class=${isArmed ? "danger" : "icon-button"} aria-label=${label} @click=${press} @blur=${disarm}>${TRASH}${isArmed ? word : ""}</button>`
    : html`<button type="button" class="danger" @click=${press} @blur=${disarm}>${TRASH}${word}</button>`;
}
