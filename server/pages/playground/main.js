// @ts-check
/** Starts the page: draws its parts, follows the server, and listens for keys, drops and pasted pictures. */

import { mount } from "./dom.js";
import { checkDraft } from "./store/draft.js";
import { followUnfinished, listVideos } from "./store/library.js";
import { addPictures } from "./store/pictures.js";
import { render } from "./store/runs.js";
import { isReachable, model, watchServer } from "./store/server.js";
import { applyTheme } from "./theme.js";
import { effect } from "./vendor/signals-core/signals-core.mjs";
import { bar } from "./view/bar.js";
import { compose, isReady } from "./view/compose.js";
import { mountDialogs } from "./view/dialog.js";
import { gallery } from "./view/gallery.js";
import { askWhenNeeded } from "./view/key.js";
import { addSound } from "./view/options.js";
import { viewer } from "./view/viewer.js";

applyTheme();
mount(".bar", bar);
mount(".compose", compose);
mount(".stage", viewer);
mount(".gallery", gallery);
mountDialogs();
askWhenNeeded();
checkDraft();
followUnfinished();
watchServer();

// The list is read once the server answers, and again when it comes back or another model is loaded.
effect(() => {
  if (isReachable.value && model.value) listVideos();
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && isReady()) render();
});

/** @param {Iterable<File>} files */
function addFiles(files) {
  const all = [...files];
  addPictures(all.filter(({ type, name }) => type.startsWith("image/") || /\.(heic|heif)$/i.test(name)));
  const sound = all.find(({ type }) => type.startsWith("audio/"));
  if (sound) addSound(sound);
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
