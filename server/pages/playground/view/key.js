// @ts-check
/** The dialog that asks for an API key. The key stays in this tab and is sent in a header. */

import { html, nothing } from "../dom.js";
import { listVideos } from "../store/library.js";
import { apiKey, keyProblem, needsKey, useKey } from "../store/server.js";
import { effect } from "../vendor/signals-core/signals-core.mjs";
import { closeDialog, showDialog } from "./dialog.js";

export function askForKey() {
  showDialog({ name: "key", title: "API key", body: form });
}

/** Ask whenever the server asks. */
export function askWhenNeeded() {
  effect(() => {
    if (needsKey.value) askForKey();
  });
}

function form() {
  const problem = keyProblem.value;
  return html`<form class="stack" @submit=${onSubmit}>
    <p>This server asks for a key. It is kept in this tab until you close it.</p>
    <div class="field"><label for="key">Key</label>
      <input id="key" type="password" autocomplete="off" autofocus required aria-describedby="key-notes" aria-invalid=${problem !== null}>
      <div class="notes" id="key-notes" role="alert">${problem ? html`<p class="problem">${problem}</p>` : nothing}</div></div>
    <div class="row"><button class="strong">Use this key</button>
      ${apiKey.value ? html`<button type="button" @click=${forget}>Forget the key</button>` : nothing}</div>
  </form>`;
}

/** @param {Event} event */
async function onSubmit(event) {
  event.preventDefault();
  const form = /** @type {HTMLFormElement} */ (event.target);
  await useKey(/** @type {HTMLInputElement} */ (form.querySelector("#key")).value.trim());
  if (needsKey.peek()) return;
  closeDialog();
  listVideos();
}

async function forget() {
  await useKey(null);
}
