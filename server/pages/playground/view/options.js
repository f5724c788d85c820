// @ts-check
/** Seed, sound, format, number of clips, LoRAs, and what is rarely changed. */

import { html, live, nothing } from "../dom.js";
import { formatSeconds } from "../format.js";
import { CLOSE, DICE, LOCKED, SOUND, UNLOCKED } from "../icons.js";
import { change, draft, ownSound, randomSeed, source } from "../store/draft.js";
import { features, model } from "../store/server.js";
import { takeSound } from "../store/sound.js";
import { field, notes } from "./field.js";

export function optionFields() {
  const { seed, isSeedLocked, count } = draft.value;
  return html`<div class="pair">
      ${field({
        id: "seed",
        label: "Seed",
        names: ["seed"],
        beside: isSeedLocked ? "kept" : "a new one each time",
        input: html`<div class="row">
          <input type="text" id="seed" inputmode="numeric" .value=${live(String(seed))} @change=${onSeed} aria-describedby="seed-notes">
          <button type="button" class="icon-button" aria-label="Draw a new seed" @click=${() => change({ seed: randomSeed() })}>${DICE}</button>
          <button type="button" class="icon-button" aria-label="Keep this seed" aria-pressed=${isSeedLocked}
            @click=${() => change({ isSeedLocked: !isSeedLocked })}>${isSeedLocked ? LOCKED : UNLOCKED}</button>
        </div>`,
      })}
      ${field({
        id: "count",
        label: "Clips",
        names: ["n"],
        input: html`<input type="number" id="count" aria-describedby="count-notes" min="1" max="10" .value=${live(String(count))}
          @change=${(/** @type {any} */ event) => change({ count: Math.min(Math.max(Math.round(Number(event.target.value)) || 1, 1), 10) })}>`,
      })}
    </div>
    ${soundFields()}${loraFields()}${moreFields()}`;
}

/** @param {Event} event */
function onSeed(event) {
  const text = /** @type {HTMLInputElement} */ (event.target).value.trim();
  change({ seed: /^\d+$/.test(text) ? Number(text) : randomSeed(), isSeedLocked: text !== "" });
}

function soundFields() {
  const { hasAudio, format, audioStart } = draft.value;
  const sound = ownSound.value;
  const takesSound = features.value.has("audio") && !source.value;
  return html`<div class="pair">
    ${field({
      id: "sound",
      label: "Sound",
      isGroup: true,
      names: ["audio_b64", "audio_start", "generate_audio"],
      input: html`<div class="row wrap">
        <label class="check"><input type="checkbox" .checked=${live(hasAudio)} @change=${(/** @type {any} */ event) => change({ hasAudio: event.target.checked })}> With sound</label>
        ${takesSound && !sound ? html`<label class="quiet file">${SOUND}Your own<input type="file" accept="audio/*" aria-label="Your own sound" @change=${onSound}></label>` : nothing}
        ${sound ? html`<span class="chip">${SOUND}${sound.file.name}, ${formatSeconds(sound.seconds)}
          <button type="button" class="icon-button" aria-label="Remove the sound" @click=${() => (ownSound.value = null)}>${CLOSE}</button></span>
          <label>from <input type="number" class="short" min="0" step="any" .value=${live(String(audioStart))} @change=${(/** @type {any} */ event) => change({ audioStart: Number(event.target.value) })}> s</label>
          <button type="button" class="quiet" @click=${() => change({ duration: Math.min(Math.max(sound.seconds - audioStart, 0.375), 20) })}>As long as the sound</button>` : nothing}
      </div>`,
    })}
    ${field({
      id: "format",
      label: "File",
      names: ["video_format"],
      input: html`<select id="format" @change=${(/** @type {any} */ event) => change({ format: event.target.value })}>
        <option value="mp4" ?selected=${format === "mp4"}>mp4</option>
        <option value="webm" ?selected=${format === "webm"}>webm</option>
      </select>`,
    })}
  </div>`;
}

/** @param {Event} event */
function onSound(event) {
  const [file] = /** @type {HTMLInputElement} */ (event.target).files ?? [];
  if (file) takeSound(file);
}

function loraFields() {
  const loras = /** @type {{name: string, strength: number, error: string | null}[]} */ (model.value?.loras ?? []);
  if (loras.length === 0) return nothing;
  return field({
    id: "loras",
    label: "LoRA",
    isGroup: true,
    names: ["loras"],
    input: html`<div role="group" aria-labelledby="loras-label">${loras.map(loraField)}</div>`,
  });
}

/** @param {{name: string, strength: number, error: string | null}} lora */
function loraField({ name, strength, error }) {
  const { [name]: chosen, ...others } = draft.value.loras;
  const isChosen = chosen !== undefined;
  const toggle = () => change({ loras: isChosen ? others : { ...others, [name]: strength } });
  return html`<div class="row lora">
    <label class="check"><input type="checkbox" .checked=${live(isChosen)} ?disabled=${error !== null} @change=${toggle}> ${name}</label>
    ${error ? html`<span class="problem">${error}</span>` : nothing}
    ${isChosen ? html`<input type="range" min="-1" max="2" step="0.05" aria-label="Strength of ${name}" .value=${live(String(chosen))}
      @input=${(/** @type {any} */ event) => change({ loras: { ...others, [name]: Number(event.target.value) } })}><output>${chosen}</output>` : nothing}
  </div>`;
}

function moreFields() {
  const { tailGuard, embedMetadata, enhance } = draft.value;
  return html`<details>
    <summary>More</summary>
    ${model.value?.enhance_prompt ? html`<label class="check"><input type="checkbox" .checked=${live(enhance)}
      @change=${(/** @type {any} */ event) => change({ enhance: event.target.checked })}> Rewrite the prompt when it is rendered</label>` : nothing}
    <label class="check"><input type="checkbox" .checked=${live(tailGuard !== "off")}
      @change=${(/** @type {any} */ event) => change({ tailGuard: event.target.checked ? "on" : "off" })}> Render 8 frames more and cut them off, for a clean end</label>
    <label class="check"><input type="checkbox" .checked=${live(embedMetadata)}
      @change=${(/** @type {any} */ event) => change({ embedMetadata: event.target.checked })}> Write the prompt and the settings into the file</label>
    ${notes("more-notes", "enhance_prompt", "tail_guard", "embed_metadata")}
  </details>`;
}
