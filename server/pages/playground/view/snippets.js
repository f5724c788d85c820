// @ts-check
/** The request as code: curl, Python and JavaScript. */

import { html } from "../dom.js";
import { areKeyframes, fields, ownSound, pictures, source } from "../store/draft.js";
import { apiKey } from "../store/server.js";
import { signal } from "../vendor/signals-core/signals-core.mjs";
import { showDialog } from "./dialog.js";

/**
 * @typedef {import("../store/library.js").Video} Video
 * @typedef {{name: string, frame: number, strength: number, crf: number | null}} Keyframe
 * @typedef {{fields: Record<string, unknown>, keyframes: Keyframe[], image: string | null,
 *   audio: string | null, video: string | null}} Code
 */

const LANGUAGES = /** @type {const} */ (["curl", "Python", "JavaScript"]);
const language = signal(/** @type {(typeof LANGUAGES)[number]} */ ("curl"));
const isCopied = signal(false);

/** Show the draft as code, or the request of a clip. @param {Video} [video] */
export function showSnippets(video) {
  isCopied.value = false;
  showDialog({ name: "snippets", title: "Copy as code", body: () => body(video ? codeOf(video) : draftCode()) });
}

/** @returns {Code} */
function draftCode() {
  const [first] = pictures.value;
  const keyframes = areKeyframes.value ? pictures.value.map(({ file, frame, strength, crf }) => ({ name: file.name, frame, strength, crf })) : [];
  return {
    fields: fields.value,
    keyframes,
    image: first && !areKeyframes.value ? first.file.name : null,
    audio: ownSound.value?.file.name ?? null,
    video: source.value?.file?.name ?? null,
  };
}

/** @param {Video} video @returns {Code} */
function codeOf({ original_prompt, width, height, num_frames, fps, seed, has_audio, video_format, enhanced }) {
  const request = {
    prompt: original_prompt,
    width,
    height,
    num_frames,
    fps,
    seed,
    ...(!has_audio && { generate_audio: false }),
    ...(video_format !== "mp4" && { video_format }),
    ...(enhanced && { enhance_prompt: true }),
  };
  return { fields: request, keyframes: [], image: null, audio: null, video: null };
}

/** @param {Code} code */
function body(code) {
  const text = { curl, Python: python, JavaScript: javaScript }[language.value](code);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    isCopied.value = true;
  };
  return html`<div class="stack">
    <div class="works" role="group" aria-label="Language">
      ${LANGUAGES.map((name) => html`<button type="button" aria-pressed=${name === language.value} @click=${() => choose(name)}>${name}</button>`)}
    </div>
    <pre tabindex="0" aria-label="The request in ${language.value}"><code>${text}</code></pre>
    <div class="row"><button type="button" class="strong" @click=${copy}>${isCopied.value ? "Copied" : "Copy"}</button></div>
  </div>`;
}

/** @param {(typeof LANGUAGES)[number]} name */
function choose(name) {
  language.value = name;
  isCopied.value = false;
}

const address = () => document.baseURI.replace(/\/$/, "");

/** @param {unknown} text */
const shellQuoted = (text) => `'${String(text).replaceAll("'", "'\\''")}'`;

/** @param {Code} code */
function curl({ fields, keyframes, image, audio, video }) {
  const parts = [
    ...Object.entries(fields).map(([name, value]) => formText(name, value)),
    ...keyframes.map(({ name, ...values }, i) =>
      [
        formFile(`keyframes[${i}][image_b64]`, name),
        ...given(values).map(([field, value]) => `-F 'keyframes[${i}][${field === "frame" ? "frame_idx" : field}]=${value}'`),
      ].join(" "),
    ),
    ...files({ input_image_b64: image, audio_b64: audio, video_b64: video }).map(([name, file]) => formFile(name, file)),
  ];
  const key = apiKey.value ? ` -H "Authorization: Bearer $LTX23_API_KEY"` : "";
  return [`curl -sS --fail-with-body ${address()}/generate${key} -o clip.${fields.video_format ?? "mp4"}`, ...parts].join(" \\\n    ");
}

/** A value of a form. Unlike -F, --form-string takes a text that begins with @ as it is. @param {string} name @param {unknown} value */
function formText(name, value) {
  if (typeof value === "number" || typeof value === "boolean") return `-F ${name}=${value}`;
  return `--form-string ${shellQuoted(`${name}=${typeof value === "string" ? value : JSON.stringify(value)}`)}`;
}

/** A file of a form. curl needs quotes around a name with a comma or a semicolon. @param {string} name @param {string} file */
const formFile = (name, file) => `-F ${shellQuoted(`${name}=@${/[;,"]/.test(file) ? `"${file.replaceAll(/["\\]/g, "\\$&")}"` : file}`)}`;

/** The values of a keyframe that are not the server's own. @param {Omit<Keyframe, "name">} values @returns {[string, number][]} */
const given = ({ frame, strength, crf }) => [["frame", frame], ...(strength < 1 ? [/** @type {[string, number]} */ (["strength", strength])] : []), ...(crf !== null ? [/** @type {[string, number]} */ (["crf", crf])] : [])];

/** @param {Record<string, string | null>} named @returns {[string, string][]} */
const files = (named) => /** @type {[string, string][]} */ (Object.entries(named).filter(([, file]) => file !== null));

/** @param {Code} code */
function python({ fields, keyframes, image, audio, video }) {
  const { prompt, ...others } = fields;
  const values = [
    JSON.stringify(prompt),
    ...Object.entries(others).map(([name, value]) => `${name === "continue" ? "continue_" : name}=${pythonValue(value)}`),
    ...files({ image, audio, video }).map(([name, file]) => `${name}=${JSON.stringify(file)}`),
    ...(keyframes.length > 0 ? [`keyframes=[${keyframes.map(pythonKeyframe).join(", ")}]`] : []),
  ];
  return `from ltx23_client import LTX23

client = LTX23(base_url=${JSON.stringify(address())})
clip = client.generate(
    ${values.join(",\n    ")},
)
clip.save("clip.${fields.video_format ?? "mp4"}")`;
}

/** @param {Keyframe} keyframe */
const pythonKeyframe = ({ name, ...values }) => `{"image": ${JSON.stringify(name)}, ${given(values).map(([field, value]) => `"${field}": ${value}`).join(", ")}}`;

/** @param {Keyframe} keyframe */
const javaScriptKeyframe = ({ name, ...values }) => `{ image: await openAsBlob(${JSON.stringify(name)}), ${given(values).map(([field, value]) => `${field}: ${value}`).join(", ")} }`;

/** @param {unknown} value @returns {string} */
function pythonValue(value) {
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value)) return `[${value.map(pythonValue).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  return `{${Object.entries(value).map(([name, part]) => `${JSON.stringify(name)}: ${pythonValue(part)}`).join(", ")}}`;
}

/** @param {Code} code */
function javaScript({ fields, keyframes, image, audio, video }) {
  const values = [
    ...Object.entries(fields).map(([name, value]) => `${name}: ${JSON.stringify(value)}`),
    ...files({ image, audio, video }).map(([name, file]) => `${name}: await openAsBlob(${JSON.stringify(file)})`),
    ...(keyframes.length > 0 ? [`keyframes: [${keyframes.map(javaScriptKeyframe).join(", ")}]`] : []),
  ];
  const hasFiles = values.some((value) => value.includes("openAsBlob"));
  const key = apiKey.value ? ", apiKey: process.env.LTX23_API_KEY" : "";
  return `// Save this as clip.mjs, beside the client: curl -sS ${address()}/page/ltx23.js -o ltx23.mjs
import { ${hasFiles ? "openAsBlob, " : ""}writeFileSync } from "node:fs";
import { LTX23 } from "./ltx23.mjs";

const ltx = new LTX23({ baseUrl: ${JSON.stringify(address())}${key} });
const { blob } = await ltx.generate({
  ${values.join(",\n  ")},
});
writeFileSync("clip.${fields.video_format ?? "mp4"}", Buffer.from(await blob.arrayBuffer()));`;
}
