// @ts-check
/** The names of the API's fields as the page calls them. */

/** @type {Record<string, string>} */
const TITLES = {
  width: "Width",
  height: "Height",
  num_frames: "Length",
  duration: "Length",
  fps: "Rate",
  prompt: "Prompt",
  negative_prompt: "Negative prompt",
  input_image_b64: "Picture",
  audio_b64: "Sound",
  video_format: "File",
  tail_guard: "Clean end",
  enhance_prompt: "Rewrite",
};

/** @param {string} path Such as `keyframes.1.image_b64`. */
export function fieldTitle(path) {
  const [field, index] = path.split(/[.[\]]+/);
  return field === "keyframes" && index !== undefined ? `Picture ${Number(index) + 1}` : (TITLES[field] ?? path);
}
