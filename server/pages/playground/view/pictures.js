// @ts-check
/** Pictures: dropped, pasted or chosen, each with its crop, its frame and its strength. */

import { cssVariables, html, live, nothing, repeat } from "../dom.js";
import { CLOSE, PICTURE } from "../icons.js";
import { areKeyframes, checked, draft, numFrames, pictures, problems, source } from "../store/draft.js";
import { addPictures, changePicture, movePicture, refusedFiles, removePicture, shownPart } from "../store/pictures.js";
import { field, notes } from "./field.js";

export function pictureFields() {
  return field({
    id: "pictures",
    label: "Pictures",
    isGroup: true,
    names: ["input_image_b64"],
    beside: hint(),
    input: html`<div class="pictures" role="group" aria-labelledby="pictures-label">
      ${repeat(pictures.value, ({ id }) => id, card)}
      <label class="drop">
        ${PICTURE}<span>${pictures.value.length === 0 ? "Drop or paste pictures" : "Add"}</span>
        <input type="file" accept="image/*" multiple @change=${onChosen} aria-label="Add pictures">
      </label>
    </div>
    <div class="notes" aria-live="polite">
      ${problems.value.keyframes ? html`<p class="problem">${problems.value.keyframes}</p>` : nothing}
      ${refusedFiles.value.map((name) => html`<p class="problem">${name} is not a picture.</p>`)}
    </div>`,
  });
}

function hint() {
  const { length } = pictures.value;
  if (length === 0) return "optional";
  return areKeyframes.value ? "keyframes, placed on the timeline" : "the first frame";
}

/** @param {Event} event */
function onChosen(event) {
  const input = /** @type {HTMLInputElement} */ (event.target);
  addPictures(input.files ?? []);
  input.value = "";
}

/** @param {import("../store/draft.js").Picture} picture @param {number} index */
function card(picture, index) {
  const clip = source.value ?? checked.value ?? draft.value;
  const part = picture.width > 0 ? shownPart(picture, clip) : { width: 1, height: 1 };
  const lost = 1 - part.width * part.height;
  const number = index + 1;
  const path = `keyframes.${index}`;
  return html`<div class="picture">
    <div class="thumb" ${cssVariables({ "picture-ratio": (picture.width || 1) / (picture.height || 1), "part-width": `${part.width * 100}%`, "part-height": `${part.height * 100}%` })}>
      ${picture.width > 0 ? html`<img src=${picture.url} alt="Picture ${number}: ${picture.file.name}">` : html`<span>${picture.file.name}</span>`}
      <i class="crop" aria-hidden="true"></i>
    </div>
    <div class="picture-facts">
      <span class="name" title=${picture.file.name}>${picture.file.name}</span>
      ${lost > 0.025 ? html`<span class="lost">${Math.round(lost * 100)} % is cropped</span>` : nothing}
      ${areKeyframes.value ? keyframeInputs(picture, number) : nothing}
      ${notes(`picture-${picture.id}-notes`, path)}
    </div>
    <button type="button" class="icon-button" aria-label="Remove picture ${number}" @click=${() => removePicture(picture.id)}>${CLOSE}</button>
  </div>`;
}

/** @param {import("../store/draft.js").Picture} picture @param {number} number */
function keyframeInputs(picture, number) {
  const { id, frame, strength, crf } = picture;
  return html`<div class="row">
      <label>Frame <input type="number" class="short" min="0" max=${numFrames.value - 1} aria-label="Frame of picture ${number}" .value=${live(String(frame))}
        @change=${(/** @type {any} */ event) => movePicture(id, Number(event.target.value))}></label>
      <label title="H.264 quality that the picture is re-compressed with: 0 skips it">crf <input type="number" class="short" min="0" max="51" placeholder="auto" aria-label="crf of picture ${number}" .value=${live(crf === null ? "" : String(crf))}
        @change=${(/** @type {any} */ event) => changePicture(id, { crf: event.target.value === "" ? null : Number(event.target.value) })}></label>
    </div>
    <label class="strength">Strength <input type="range" min="0" max="1" step="0.05" aria-label="Strength of picture ${number}" .value=${live(String(strength))}
      @input=${(/** @type {any} */ event) => changePicture(id, { strength: Number(event.target.value) })}><output>${strength}</output></label>`;
}
