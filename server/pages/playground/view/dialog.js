// @ts-check
/** Dialogs: one at a time, closed by Escape, by its button, or by a click beside it. */

import { html, mount, nothing, ref } from "../dom.js";
import { CLOSE } from "../icons.js";
import { signal } from "../vendor/signals-core/signals-core.mjs";

/** @typedef {{name: string, title: string, body: () => unknown, onClose?: () => void}} Dialog */

const shown = signal(/** @type {Dialog | null} */ (null));

/** @param {Dialog} dialog */
export function showDialog(dialog) {
  shown.value = dialog;
}

export function closeDialog() {
  shown.peek()?.onClose?.();
  shown.value = null;
}

export const shownDialog = () => shown.value?.name ?? null;

export function mountDialogs() {
  mount(".overlays", () => (shown.value ? dialogElement(shown.value) : nothing));
}

/** @param {Dialog} dialog */
function dialogElement({ name, title, body }) {
  return html`<dialog class=${name} aria-labelledby="dialog-title" @close=${closeDialog} @click=${onClick} ${ref(open)}>
    <div class="dialog-body">
      <header><h2 id="dialog-title">${title}</h2><button type="button" class="icon-button" aria-label="Close" @click=${closeDialog}>${CLOSE}</button></header>
      ${body()}
    </div>
  </dialog>`;
}

/** @param {Element | undefined} element */
function open(element) {
  if (element instanceof HTMLDialogElement && !element.open) element.showModal();
}

/** @param {MouseEvent} event */
function onClick(event) {
  if (event.target === event.currentTarget) closeDialog();
}
