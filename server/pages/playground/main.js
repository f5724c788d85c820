// @ts-check
/** Starts the page: draws the form, then the rest, follows the server, and listens for keys, drops and pasted pictures. */

import { enterEdited, mount } from "./dom.js";
import { checkDraft, keepDraft } from "./store/draft.js";
import { listVideos } from "./store/library.js";
import { addPictures } from "./store/pictures.js";
import { render } from "./store/runs.js";
import { health, isReachable, model, watchServer } from "./store/server.js";
import { takeSound } from "./store/sound.js";
import { applyTheme } from "./theme.js";
import { computed, effect } from "./vendor/signals-core/signals-core.mjs";
import { compose, isReady } from "./view/compose.js";

applyTheme();
mount(".compose", compose);
checkDraft();
keepDraft();
watchServer();
import("./panels.js").then(({ showPanels }) => showPanels());

// The list is read when the server answers for the first time or again, and when somebody's clip is queued or done.
const queueNow = computed(() => JSON.stringify(health.value?.queue));
effect(() => {
  if (isReachable.value && model.value && queueNow.value) listVideos();
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  enterEdited();
  if (isReady()) render();
});

/** @param {Iterable<File>} files */
function addFiles(files) {
  const isSound = (/** @type {File} */ { type }) => type.startsWith("audio/");
  const all = [...files];
  addPictures(all.filter((file) => !isSound(file)));
  const sound = all.find(isSound);
  if (sound) takeSound(sound);
}

document.addEventListener("paste", (event) => {
  const files = event.clipboardData?.files;
  if (files?.length) {
    event.preventDefault();
    addFiles(files);
  }
});

document.addEventListener("dragover", (event) => {
  if (event.dataTransfer?.types.includes("Files")) event.preventDefault();
});

document.addEventListener("drop", (event) => {
  if (!event.dataTransfer?.files.length) return;
  event.preventDefault();
  addFiles(event.dataTransfer.files);
});
