// @ts-check
/** The parts of the page beside the form, which is there first: the bar, the viewer, the clips and the dialogs. */

import { mount } from "./dom.js";
import { followUnfinished, live, videos } from "./store/library.js";
import { effect } from "./vendor/signals-core/signals-core.mjs";
import { bar } from "./view/bar.js";
import { mountDialogs } from "./view/dialog.js";
import { gallery } from "./view/gallery.js";
import { askWhenNeeded } from "./view/key.js";
import { viewer } from "./view/viewer.js";

export function showPanels() {
  mount(".bar", bar);
  mount(".stage", viewer);
  mount(".gallery", gallery);
  mountDialogs();
  askWhenNeeded();
  followUnfinished();
  effect(titleProgress);
}

/** Show in the tab how far a render is. */
function titleProgress() {
  const running = videos.value.find(({ status }) => status === "in_progress");
  const percent = running && (live.value[running.id]?.progress?.percent ?? running.progress);
  document.title = percent === undefined ? "LTX-2.3" : `${percent} % LTX-2.3`;
}
