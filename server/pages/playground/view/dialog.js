// @ts-check
/** Dialogs: one at a time, closed by Escape, by its button, or by a click beside it. */

import { html, mount, nothing, withElement } from "../dom.js";
import { CLOSE } from "../icons.js";
import { signal } from "../vendor/signals-core/signals-core.mjs";

/** @typedef {{name: string, title: string, body: () => unknown}} Dialog */

const shown = signal(/** @type {Dialog | null} */ (null));

/** @param {Dialog} dialog */
export function showDialog(dialog) {
  shown.value = dialog;
}

/** Close the dialog. The browser gives the focus back to what had it before. */
export function closeDialog() {
  document.querySelector("dialog")?.close();
}

export function mountDialogs() {
  mount(".overlays", () => (shown.value ? dialogElement(shown.value) : nothing));
}

/** @param {Dialog} dialog */
function dialogElement({ name, title, body }) {
  return html`<dialog class=${name} aria-labelledby="dialog-title" @close=${() => (shown.value = null)} @click=${onClick} ${withElement(open)}>
    <div class="dialog-body">
      <header><h2 id="dialog-title">${title}</h2><button type="button" class="icon-button" aria-label="Close" @click=${closeDialog}>${CLOSE}</button></header>
      ${body()}
    </div>
  </dialog>`;
}

/** Open a dialog as soon as it is in the document. @param {Element} element */
function open(element) {
  const dialog = /** @type {HTMLDialogElement} */ (element);
  queueMicrotask(() => dialog.isConnected && dialog.showModal());
}

/** @param {MouseEvent} event */
function onClick(event) {
  if (event.target === event.currentTarget) closeDialog();
}
