// @ts-check
/** Sending the draft, and using the settings of a clip again. */

import { LTX23Error } from "../ltx23.js";
import { signal } from "../vendor/signals-core/signals-core.mjs";
import { NEW_DRAFT, change, draft, forgetRefusals, randomSeed, request, showRefusal, source } from "./draft.js";
import { putVideos, selectedId } from "./library.js";
import { client, isKeyError, sender } from "./server.js";

export const isSending = signal(false);

/** Send the draft. Its video is shown, and followed to its end. */
export async function render() {
  if (isSending.peek()) return;
  isSending.value = true;
  try {
    const { count, isSeedLocked } = draft.peek();
    const created = await sender.create(count > 1 ? { ...request.peek(), n: count } : request.peek());
    const others = await Promise.all((created.batch ?? []).slice(1).map((id) => client.get(id)));
    forgetRefusals();
    putVideos([...others, created]);
    selectedId.value = created.id;
    if (!isSeedLocked) change({ seed: randomSeed() });
  } catch (error) {
    if (!isKeyError(error)) showRefusal(retryable(error));
  } finally {
    isSending.value = false;
  }
}

/** @param {unknown} error */
function retryable(error) {
  const isFull = error instanceof LTX23Error && error.status === 429;
  return isFull && error.retryAfterS ? new Error(`The queue is full. Try again in ${error.retryAfterS} s.`) : error;
}

/** Compose with the settings of a clip. Its pictures and sounds are not kept by the server. @param {import("./library.js").Video} video */
export function reuse(video) {
  const guidance = /** @type {any} */ (video.guidance);
  const loras = /** @type {{name: string, strength: number}[]} */ (video.loras ?? []);
  source.value = null;
  draft.value = {
    ...NEW_DRAFT,
    prompt: video.original_prompt,
    enhance: video.enhanced,
    negativePrompt: guidance?.negative_prompt ?? "",
    nagScale: guidance?.nag_scale ?? NEW_DRAFT.nagScale,
    width: video.width,
    height: video.height,
    duration: video.duration,
    fps: video.fps,
    seed: video.seed,
    isSeedLocked: true,
    hasAudio: video.has_audio,
    format: video.video_format,
    loras: Object.fromEntries(loras.map(({ name, strength }) => [name, strength])),
  };
}

/** Retake or continue a clip of the server. @param {import("./library.js").Video} video @param {"retake" | "continue"} work */
export function directVideo(video, work) {
  source.value = {
    work,
    videoId: video.id,
    file: null,
    title: video.original_prompt,
    url: video.url,
    width: video.width,
    height: video.height,
    numFrames: video.num_frames,
    duration: video.duration,
    start: 0,
    end: video.duration,
    renders: "both",
    seconds: Math.min(5, Math.max(1, Math.round(video.duration))),
  };
  change({ prompt: video.original_prompt, hasAudio: video.has_audio });
}
