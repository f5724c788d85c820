// @ts-check
/** The prompt, its rewrite by the enhancer, and the negative prompt. */

import { html, live, nothing } from "../dom.js";
import { WAND, UNDO } from "../icons.js";
import { change, draft, pictures, showRefusal } from "../store/draft.js";
import { client, features, isKeyError, model } from "../store/server.js";
import { signal } from "../vendor/signals-core/signals-core.mjs";
import { field } from "./field.js";

/** A rewrite to choose: what was written, and what the enhancer makes of it. */
const rewrite = signal(/** @type {{before: string, after: string} | null} */ (null));
const isRewriting = signal(false);
const undone = signal(/** @type {string | null} */ (null));

export function promptFields() {
  const { prompt } = draft.value;
  const most = model.value?.limits.prompt_characters ?? 10_000;
  const length = [...prompt].length;
  return html`${field({
    id: "prompt",
    label: "Prompt",
    names: ["prompt"],
    beside: html`${undoButton()}${rewriteButton()}
      <span class="count ${length > most ? "over" : ""}">${length > most * 0.8 ? `${length} / ${most}` : nothing}</span>`,
    input: html`<textarea id="prompt" rows="5" placeholder="What the clip shows, how it moves, how it sounds"
      aria-describedby="prompt-notes" .value=${live(prompt)} @input=${onPrompt}></textarea>`,
  })}${prompt === "" ? examples() : nothing}${rewrite.value ? chooser(rewrite.value) : nothing}${negativePrompt()}`;
}

const EXAMPLES = {
  "Fox in the snow": "A red fox trots through deep snow at dawn, its steps crunching softly, breath steaming in the cold light.",
  "Storm at sea": "Waves break over a lighthouse in a storm, the beam sweeps through heavy rain, thunder rolls over the water.",
  "Street at night": "A tram glides through a wet street at night, neon reflected in the puddles, its bell rings twice.",
};

/** Prompts to begin with. */
function examples() {
  return html`<div class="row wrap examples">${Object.entries(EXAMPLES).map(
    ([title, text]) => html`<button type="button" class="quiet" @click=${() => change({ prompt: text })}>${title}</button>`,
  )}</div>`;
}

/** @param {InputEvent} event */
function onPrompt(event) {
  change({ prompt: /** @type {HTMLTextAreaElement} */ (event.target).value });
}

function rewriteButton() {
  if (!model.value?.enhance_prompt) return nothing;
  const isEmpty = draft.value.prompt.trim() === "";
  return html`<button type="button" class="quiet" ?disabled=${isEmpty || isRewriting.value} @click=${askForRewrite}>
    ${WAND}${isRewriting.value ? "Rewriting" : "Rewrite"}
  </button>`;
}

function undoButton() {
  const before = undone.value;
  if (before === null) return nothing;
  const undo = () => {
    change({ prompt: before });
    undone.value = null;
  };
  return html`<button type="button" class="quiet" @click=${undo}>${UNDO}Undo rewrite</button>`;
}

async function askForRewrite() {
  const before = draft.peek().prompt;
  const first = pictures.peek()[0];
  isRewriting.value = true;
  try {
    const { prompt } = await client.enhance({ prompt: before, ...(first && { image: first.file }) });
    rewrite.value = { before, after: prompt };
  } catch (error) {
    if (!isKeyError(error)) showRefusal(error);
  } finally {
    isRewriting.value = false;
  }
}

/** @param {{before: string, after: string}} texts */
function chooser({ before, after }) {
  const close = () => (rewrite.value = null);
  const use = () => {
    change({ prompt: after, enhance: false });
    undone.value = before;
    close();
  };
  return html`<div class="rewrite" role="group" aria-label="Rewritten prompt">
    <div><span class="label">Yours</span><p>${before}</p><button type="button" @click=${close}>Keep yours</button></div>
    <div><span class="label">Rewritten</span><p>${after}</p><button type="button" class="strong" @click=${use}>Use the rewrite</button></div>
  </div>`;
}

function negativePrompt() {
  if (!features.value.has("negative_prompt")) return nothing;
  const { negativePrompt, nagScale } = draft.value;
  return html`<details ?open=${negativePrompt !== ""}>
    <summary>Negative prompt</summary>
    ${field({
      id: "negative-prompt",
      label: "What the clip is led away from",
      names: ["negative_prompt", "nag_alpha", "nag_tau", "nag_audio"],
      input: html`<textarea id="negative-prompt" rows="2" aria-describedby="negative-prompt-notes" .value=${live(negativePrompt)}
        @input=${(/** @type {any} */ event) => change({ negativePrompt: event.target.value })}></textarea>`,
    })}
    ${negativePrompt.trim() === "" ? nothing : field({
      id: "nag-scale",
      label: "How firmly",
      names: ["nag_scale"],
      beside: String(nagScale),
      input: html`<input id="nag-scale" type="range" min="1" max="11" step="0.5" .value=${live(String(nagScale))}
        @input=${(/** @type {any} */ event) => change({ nagScale: Number(event.target.value) })}>`,
    })}
  </details>`;
}
