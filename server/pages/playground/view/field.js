// @ts-check
/** A field with its label, what is wrong with it, and how the server would change it. */

import { html, nothing } from "../dom.js";
import { adjustmentsOf, problemsOf } from "../store/draft.js";

/**
 * @param {object} field
 * @param {string} field.id Of the input.
 * @param {string} field.label
 * @param {unknown} field.input
 * @param {string[]} [field.names] Names in the API, whose problems and adjustments are shown here.
 * @param {unknown} [field.beside] Shown at the end of the label's line.
 * @param {boolean} [field.isGroup] The input is a group of several, with the id on the group.
 */
export function field({ id, label, input, names = [], beside = nothing, isGroup = false }) {
  const heading = isGroup
    ? html`<span class="label" id="${id}-label">${label}</span>`
    : html`<label for=${id}>${label}</label>`;
  return html`<div class="field">
    <div class="field-head">${heading}<span class="beside">${beside}</span></div>
    ${input}${notes(`${id}-notes`, ...names)}
  </div>`;
}

/** What is wrong with fields, or how they would be changed. @param {string} id @param {string[]} names */
export function notes(id, ...names) {
  const wrong = problemsOf(...names);
  const changed = wrong.length > 0 ? [] : adjustmentsOf(...names);
  return html`<div class="notes" id=${id} aria-live="polite">
    ${wrong.map((message) => html`<p class="problem">${message}</p>`)}
    ${changed.map(adjustment)}
  </div>`;
}

/** @param {import("../ltx23.js").Adjustment} adjustment */
export function adjustment({ requested, used, reason }) {
  const isValue = used !== null && requested !== null && String(requested).length < 24;
  return html`<p class="adjusted">${isValue ? html`<b>${requested} → ${used}</b> ` : nothing}${reason}</p>`;
}
