// @ts-check
/** The request that is being composed, and what the server says that it would become. */

import { formatBytes } from "../format.js";
import { LTX23Error } from "../ltx23.js";
import { computed, effect, signal } from "../vendor/signals-core/signals-core.mjs";
import { client, isKeyError, isReachable, model } from "./server.js";

/**
 * @typedef {object} Picture
 * @property {number} id
 * @property {File} file
 * @property {string} url
 * @property {number} width
 * @property {number} height
 * @property {number} frame
 * @property {boolean} isMoved Whether it was put at its frame by hand.
 * @property {number} strength
 * @property {number | null} crf Null for the server's own.
 *
 * @typedef {object} OwnSound
 * @property {File} file
 * @property {number} seconds
 * @property {number[]} peaks The loudest sample of each of its parts, 0 to 1; empty if the browser cannot decode it.
 *
 * @typedef {object} Source A clip that is retaken or continued: a video of the server, or a file.
 * @property {"retake" | "continue"} work
 * @property {string | null} videoId
 * @property {File | null} file
 * @property {string} title
 * @property {string | null} url
 * @property {number} width
 * @property {number} height
 * @property {number} numFrames
 * @property {number} duration
 * @property {number} start
 * @property {number} end
 * @property {"both" | "video" | "audio"} renders
 * @property {number} seconds
 *
 * @typedef {object} Draft
 * @property {string} prompt
 * @property {string} negativePrompt
 * @property {number} nagScale
 * @property {number} width
 * @property {number} height
 * @property {number} duration
 * @property {number} fps
 * @property {number} seed
 * @property {boolean} isSeedLocked
 * @property {boolean} hasAudio
 * @property {"mp4" | "webm"} format
 * @property {number} count
 * @property {boolean} enhance
 * @property {"auto" | "on" | "off"} tailGuard
 * @property {boolean} embedMetadata
 * @property {number} audioStart
 * @property {Record<string, number>} loras
 *
 * @typedef {{width: number, height: number, num_frames: number, fps: number, duration: number,
 *   adjustments: import("../ltx23.js").Adjustment[], length: string}} Checked
 */

// Shorter than a glance at the answer, longer than the time between two keys.
const CHECK_DELAY_MS = 120;
const LONGEST_SEED = 2 ** 32;
// A GIF of one pixel. It stands for a picture while the request is checked, so that none is sent for each key.
const PIXEL = "R0lGODlhAQABAAAAACwAAAAAAQABAAACAkQBADs=";

export const randomSeed = () => Math.floor(Math.random() * LONGEST_SEED);

export const NEW_DRAFT = /** @type {Draft} */ ({
  prompt: "",
  negativePrompt: "",
  nagScale: 5,
  width: 768,
  height: 512,
  duration: 5,
  fps: 24,
  seed: randomSeed(),
  isSeedLocked: false,
  hasAudio: true,
  format: "mp4",
  count: 1,
  enhance: false,
  tailGuard: "off",
  embedMetadata: false,
  audioStart: 0,
  loras: {},
});

// Of this tab, so that a reload loses no text.
const STORED_DRAFT = "ltx23-draft";

export const draft = signal(/** @type {Draft} */ ({ ...NEW_DRAFT, ...JSON.parse(sessionStorage.getItem(STORED_DRAFT) ?? "{}") }));
export const pictures = signal(/** @type {Picture[]} */ ([]));
export const ownSound = signal(/** @type {OwnSound | null} */ (null));
export const source = signal(/** @type {Source | null} */ (null));

export const checked = signal(/** @type {Checked | null} */ (null));
/** What the check found wrong, and what the server refused when the draft was sent, by the field's path: `keyframes.1.frame_idx`. */
const faults = signal(/** @type {Record<string, string>} */ ({}));
const refusals = signal(/** @type {Record<string, string>} */ ({}));

/** The clip's length in frames: the server's, or an estimate until it has answered. */
export const numFrames = computed(() => (checked.value && checked.value.length === length.value ? checked.value.num_frames : estimate()));

function estimate() {
  const { duration, fps } = draft.value;
  if (source.value?.work === "retake") return source.value.numFrames;
  const added = source.value ? source.value.seconds * fps : duration * fps;
  return (source.value?.numFrames ?? 1) + Math.max(8, Math.round(added / 8) * 8);
}

/** @param {Partial<Draft>} change */
export function change(change) {
  draft.value = { ...draft.peek(), ...change };
}

/** @param {Partial<Source>} change */
export function changeSource(change) {
  const current = source.peek();
  if (current) source.value = { ...current, ...change };
}

/** The fields of the request, without files. */
export const fields = computed(() => {
  const { prompt, negativePrompt, nagScale, width, height, duration, fps, seed, hasAudio, format } = draft.value;
  const { enhance, tailGuard, embedMetadata, loras, audioStart } = draft.value;
  const { defaults } = model.value ?? { defaults: {} };
  const chosen = Object.entries(loras).map(([name, strength]) => ({ name, strength }));
  const origin = source.value;
  return /** @type {import("../ltx23.js").Request} */ ({
    prompt,
    ...(negativePrompt.trim() && negativePrompt !== defaults.negative_prompt && { negative_prompt: negativePrompt, nag_scale: nagScale }),
    ...(!origin && { width, height, duration, fps }),
    seed,
    ...(!hasAudio && { generate_audio: false }),
    ...(format !== "mp4" && { video_format: format }),
    ...(enhance && { enhance_prompt: true }),
    ...(tailGuard !== "off" && !origin && { tail_guard: tailGuard }),
    ...(embedMetadata && { embed_metadata: true }),
    ...(chosen.length > 0 && { loras: chosen }),
    ...(ownSound.value && audioStart > 0 && { audio_start: audioStart }),
    ...(origin && sourceFields(origin)),
  });
});

/** @param {Source} source */
function sourceFields({ work, videoId, start, end, renders, seconds }) {
  const retake = { start, end, ...(renders === "audio" && { video: false }), ...(renders === "video" && { audio: false }) };
  return {
    ...(videoId && { from_video: videoId }),
    ...(work === "retake" ? { retake } : { continue: { seconds } }),
  };
}

/** Whether the pictures are sent as keyframes. A single one is the first frame, unless a clip is retaken. */
export const areKeyframes = computed(() => pictures.value.length > 1 || (pictures.value.length > 0 && source.value !== null));

/** @param {(picture: Picture) => Blob | string} imageOf */
function pictureFields(imageOf) {
  if (pictures.value.length === 0) return {};
  if (!areKeyframes.value) return { image: imageOf(pictures.value[0]) };
  return {
    keyframes: pictures.value.map((picture) => ({
      image: imageOf(picture),
      frame: picture.frame,
      ...(picture.strength < 1 && { strength: picture.strength }),
      ...(picture.crf !== null && { crf: picture.crf }),
    })),
  };
}

/** The whole request, with its files. */
export const request = computed(() => ({
  ...fields.value,
  ...pictureFields(({ file }) => file),
  ...(ownSound.value && { audio: ownSound.value.file }),
  ...(source.value?.file && { video: source.value.file }),
}));

/** What the length depends on. */
const length = computed(() => JSON.stringify([fields.value.duration, fields.value.fps, fields.value.continue, fields.value.from_video]));

/** What is checked while it is composed, as text: the request without its words, and without the content of its files. */
const sketch = computed(() => JSON.stringify({ ...fields.value, prompt: "-", ...pictureFields(() => PIXEL) }));
const sourceFile = computed(() => source.value?.file ?? null);

/** Files and texts that are larger than the server takes, by the field's path: it would refuse them once they are sent. */
const tooLarge = computed(() => {
  const { limits } = model.value ?? {};
  if (!limits) return {};
  const wrong = /** @type {Record<string, string>} */ ({});
  const checkFile = (/** @type {string} */ path, /** @type {File | null | undefined} */ file, /** @type {number} */ most) => {
    if (file && file.size > most) wrong[path] = `${file.name} has ${formatBytes(file.size)}, the server takes ${formatBytes(most)} at most.`;
  };
  pictures.value.forEach(({ file, width, height }, i) => {
    const path = areKeyframes.value ? `keyframes.${i}` : "input_image_b64";
    checkFile(path, file, limits.image_bytes);
    if (width * height > limits.image_pixels) wrong[path] = `${file.name} has ${width} × ${height} pixels, the server takes ${limits.image_pixels / 1e6} megapixels at most.`;
  });
  checkFile("audio_b64", ownSound.value?.file, limits.sound_bytes);
  checkFile("video_b64", source.value?.file, limits.video_bytes);
  const length = [...draft.value.prompt].length;
  if (length > limits.prompt_characters) wrong.prompt = `The prompt has ${length} characters, the server takes ${limits.prompt_characters} at most.`;
  return wrong;
});

/** What is wrong, by the field's path. */
export const problems = computed(() => ({ ...faults.value, ...tooLarge.value, ...refusals.value }));

/** Whether something at a field keeps the request from being sent. */
export const hasFieldProblems = computed(() => Object.keys(problems.value).some((path) => path !== ""));

/** Keep the draft's text and numbers in this tab. */
export function keepDraft() {
  effect(() => sessionStorage.setItem(STORED_DRAFT, JSON.stringify(draft.value)));
}

/** Ask the server what the request would become, after each change. */
export function checkDraft() {
  let newest = new AbortController();
  // What was refused may be right after any change.
  effect(() => {
    if (request.value) forgetRefusals();
  });
  effect(() => {
    const wanted = { ...JSON.parse(sketch.value), ...(sourceFile.value && { video: sourceFile.value }) };
    if (!model.value || !isReachable.value) return;
    newest.abort();
    const { signal } = (newest = new AbortController());
    setTimeout(() => !signal.aborted && check(wanted, length.peek(), signal), CHECK_DELAY_MS);
  });
}

/** @param {import("../ltx23.js").Request} wanted @param {string} length @param {AbortSignal} signal */
async function check(wanted, length, signal) {
  try {
    const answer = await client.check(wanted, { signal });
    if (signal.aborted) return;
    checked.value = { ...answer, length };
    faults.value = {};
  } catch (error) {
    if (!signal.aborted && !isKeyError(error)) faults.value = byField(error);
  }
}

export function forgetRefusals() {
  refusals.value = {};
}

/** Note what the server refused, at the fields that it names. @param {unknown} error */
export function showRefusal(error) {
  refusals.value = byField(error);
}

/** @param {unknown} error @returns {Record<string, string>} */
function byField(error) {
  if (!(error instanceof LTX23Error) || error.fields.length === 0) return { "": error instanceof Error ? error.message : String(error) };
  // A clip that is too large for the memory is no field's fault, but its size is what helps.
  const where = (/** @type {import("../ltx23.js").FieldProblem} */ { path, code }) => (code === "does_not_fit" ? "width" : path.join("."));
  return Object.fromEntries(error.fields.map((problem) => [where(problem), problem.message]));
}

/** What is wrong with any of these fields, or with a field inside of them. @param {string[]} names */
export function problemsOf(...names) {
  return Object.entries(problems.value)
    .filter(([path]) => names.some((name) => path === name || path.startsWith(`${name}.`)))
    .map(([, message]) => message);
}

/** How the server would change these fields. @param {string[]} names */
export function adjustmentsOf(...names) {
  return (checked.value?.adjustments ?? []).filter(({ field }) => names.some((name) => field === name || field.startsWith(`${name}[`) || field.startsWith(`${name}.`)));
}
