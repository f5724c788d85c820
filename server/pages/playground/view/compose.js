// @ts-check
/** The form: everything of a request, and the buttons that send or copy it. */

import { html } from "../dom.js";
import { CODE } from "../icons.js";
import { draft, hasFieldProblems, problemsOf, problems } from "../store/draft.js";
import { isSending, render } from "../store/runs.js";
import { health, isReachable } from "../store/server.js";
import { optionFields } from "./options.js";
import { pictureFields } from "./pictures.js";
import { promptFields } from "./prompt.js";
import { sizeFields } from "./size.js";
import { sourceFields } from "./source.js";

export function compose() {
  return html`<form novalidate @submit=${onSubmit}>
    <div class="fields">
      ${sourceFields()}${promptFields()}${pictureFields()}${sizeFields()}${optionFields()}
    </div>
    <footer>
      <div aria-live="assertive">${problemsOf("").map((message) => html`<p class="problem">${message}</p>`)}</div>
      <div class="row">
        <button class="render" ?disabled=${!isReady()}>${isSending.value ? "Sending" : label()}</button>
        <button type="button" class="icon-button tall" title="Copy as curl, Python or JavaScript" aria-label="Copy the request as code" @click=${copyAsCode}>${CODE}</button>
      </div>
      <p class="hint">${waiting()}</p>
    </footer>
  </form>`;
}

/** @param {Event} event */
function onSubmit(event) {
  event.preventDefault();
  if (isReady()) render().then(showViewer);
}

async function copyAsCode() {
  const { showSnippets } = await import("./snippets.js");
  showSnippets();
}

/** On a phone the viewer is below the form. */
function showViewer() {
  if (Object.keys(problems.peek()).length === 0) document.querySelector(".stage")?.scrollIntoView({ block: "nearest" });
}

export function isReady() {
  return draft.value.prompt.trim() !== "" && !isSending.value && isReachable.value && !hasFieldProblems.value;
}

function label() {
  const { count } = draft.value;
  return count > 1 ? `Render ${count} clips` : "Render";
}

/** Says what keeps the request from being sent, or how many are before it. */
function waiting() {
  if (!isReachable.value) return "The server cannot be reached.";
  if (draft.value.prompt.trim() === "") return "Write a prompt to begin.";
  if (hasFieldProblems.value) return "Something above has to be changed first.";
  const { depth = 0, running = 0 } = health.value?.queue ?? {};
  if (depth + running > 0) return `${depth + running} before it in the queue.`;
  return html`<span class="keys"><kbd>Ctrl</kbd> <kbd>Enter</kbd> renders from anywhere.</span>`;
}
