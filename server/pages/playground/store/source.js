// @ts-check
/** A clip file that is retaken or continued. */

import { source } from "./draft.js";

/** Take a clip file. Its size and length are the browser's, until the server has read it. @param {File} file @param {"retake" | "continue"} work */
export function takeClip(file, work) {
  const url = URL.createObjectURL(file);
  const video = document.createElement("video");
  video.src = url;
  video.addEventListener("loadedmetadata", () => {
    const duration = Number.isFinite(video.duration) ? video.duration : 0;
    source.value = {
      work,
      videoId: null,
      file,
      title: file.name,
      url,
      width: video.videoWidth,
      height: video.videoHeight,
      numFrames: Math.round(duration * 24),
      duration,
      start: 0,
      end: duration,
      renders: "both",
      seconds: 5,
    };
  });
}

export function dropSource() {
  const { file, url } = source.peek() ?? {};
  if (file && url) URL.revokeObjectURL(url);
  source.value = null;
}
