// @ts-check
/** Starts the page: draws its parts, follows the server, and listens for keys, drops and pasted pictures. */

import { enterEdited, mount } from "./dom.js";
import { checkDraft, keepDraft } from "./store/draft.js";
import { followUnfinished, listVideos, live, videos } from "./store/library.js";
import { addPictures } from "./store/pictures.js";
import { render } from "./store/runs.js";
import { health, isReachable, model, watchServer } from "./store/server.js";
import { takeSound } from "./store/sound.js";
import { applyTheme } from "./theme.js";
import { computed, effect } from "./vendor/signals-core/signals-core.mjs";
import { bar } from "./view/bar.js";
import { compose, isReady } from "./view/compose.js";
import { mountDialogs } from "./view/dialog.js";
import { gallery } from "./view/gallery.js";
import { askWhenNeeded } from "./view/key.js";
import { viewer } from "./view/viewer.js";

applyTheme();
mount(".bar", bar);
mount(".compose", compose);
mount(".stage", viewer);
mount(".gallery", gallery);
mountDialogs();
askWhenNeeded();
checkDraft();
keepDraft();
followUnfinished();
watchServer();

// The list is read when the server answers for the first time or again, and when somebody's clip is queued or done.
const queueNow = computed(() => JSON.stringify(health.value?.queue));
effect(() => {
  if (isReachable.value && model.value && queueNow.value) listVideos();
});

effect(() => {
  const running = videos.value.find(({ status }) => status === "in_progress");
  const percent = running && (live.value[running.id]?.progress?.percent ?? running.progress);
  document.title = percent === undefined ? "LTX-2.3" : `${percent} % LTX-2.3`;
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
