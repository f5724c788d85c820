// @ts-check
/** Size, length and rate, with what they snap to. */

import { cssVariables, html, live, nothing } from "../dom.js";
import { formatNumber } from "../format.js";
import { change, checked, draft, numFrames, pictures, source } from "../store/draft.js";
import { stretchPictures } from "../store/pictures.js";
import { model } from "../store/server.js";
import { field } from "./field.js";

/** Shapes, as width / height, with sizes on the grid of 64 for each height. */
const SHAPES = [
  { name: "21:9", ratio: 21 / 9 },
  { name: "16:9", ratio: 16 / 9 },
  { name: "3:2", ratio: 3 / 2 },
  { name: "1:1", ratio: 1 },
  { name: "2:3", ratio: 2 / 3 },
  { name: "9:16", ratio: 9 / 16 },
];
const SHORT_SIDES = [256, 384, 512, 704, 1088, 1472, 2176];
const RATES = [24, 25, 30, 48, 50];

/** @param {number} ratio @param {number} short @returns {{width: number, height: number}} */
function sizeOf(ratio, short) {
  const { multiple_of: grid, max } = model.peek()?.limits.width ?? { multiple_of: 64, max: 3840 };
  const long = Math.min(Math.round((short * Math.max(ratio, 1 / ratio)) / grid) * grid, max);
  return ratio >= 1 ? { width: long, height: short } : { width: short, height: long };
}

/** @param {{width: number, height: number}} size */
const shapeOf = ({ width, height }) =>
  SHAPES.reduce((nearest, shape) => (distance(shape.ratio, width / height) < distance(nearest.ratio, width / height) ? shape : nearest));

/** The ratio of a shape, whose sizes are only near to it, or of a size of its own. @param {{width: number, height: number}} size */
function ratioOf({ width, height }) {
  const { ratio } = shapeOf({ width, height });
  const named = sizeOf(ratio, Math.min(width, height));
  return named.width === width && named.height === height ? ratio : width / height;
}

/** @param {number} a @param {number} b */
const distance = (a, b) => Math.abs(Math.log(a / b));

export function sizeFields() {
  if (source.value) return nothing;
  const { width, height } = draft.value;
  const shape = shapeOf({ width, height });
  const short = Math.min(width, height);
  return html`${field({
    id: "size",
    label: "Size",
    isGroup: true,
    names: ["width", "height"],
    beside: checked.value ? html`<output>${checked.value.width} × ${checked.value.height}</output>` : nothing,
    input: html`<div class="sizes" role="group" aria-labelledby="size-label">
      <div class="shapes">${SHAPES.map((candidate) => shapeButton(candidate, candidate === shape, short))}</div>
      <div class="row">
        <select aria-label="Short side" @change=${(/** @type {any} */ event) => change(sizeOf(ratioOf({ width, height }), Number(event.target.value)))}>
          ${[...new Set([...SHORT_SIDES, short])].sort((a, b) => a - b).map((side) => html`<option value=${side} ?selected=${side === short}>${side} p</option>`)}
        </select>
        <input type="number" id="width" aria-label="Width in pixels" aria-describedby="size-notes" min="1" step="64" .value=${live(String(width))}
          @change=${(/** @type {any} */ event) => change({ width: Number(event.target.value) })}>
        <span aria-hidden="true">×</span>
        <input type="number" id="height" aria-label="Height in pixels" aria-describedby="size-notes" min="1" step="64" .value=${live(String(height))}
          @change=${(/** @type {any} */ event) => change({ height: Number(event.target.value) })}>
      </div>
      ${matchPicture()}
    </div>`,
  })}${lengthFields()}`;
}

/** @param {{name: string, ratio: number}} shape @param {boolean} isChosen @param {number} short */
function shapeButton({ name, ratio }, isChosen, short) {
  return html`<button type="button" class="shape" aria-pressed=${isChosen} @click=${() => change(sizeOf(ratio, short))}>
    <i aria-hidden="true" ${cssVariables({ ratio: ratio.toFixed(3) })}></i>${name}
  </button>`;
}

/** Offers the shape of the first picture, where the clip would crop it. */
function matchPicture() {
  const first = pictures.value.find((picture) => picture.width > 0);
  const { width, height } = draft.value;
  if (!first || distance(first.width / first.height, width / height) < 0.03) return nothing;
  const whole = sizeOf(first.width / first.height, Math.min(width, height));
  if (whole.width === width && whole.height === height) return nothing;
  return html`<button type="button" class="quiet" @click=${() => change(whole)}>
    Show the whole picture: ${whole.width} × ${whole.height}
  </button>`;
}

function lengthFields() {
  const { duration, fps, width, height } = draft.value;
  const longest = longestSeconds(width * height);
  const setDuration = (/** @type {any} */ event) => setLength({ duration: Number(event.target.value) });
  return html`<div class="pair">
    ${field({
      id: "duration",
      label: "Length",
      names: ["duration", "num_frames"],
      beside: html`<output>${numFrames.value} frames, ${formatNumber(numFrames.value / (checked.value?.fps ?? fps))} s</output>`,
      input: html`<div class="row">
        <input type="range" aria-label="Length" min="0.375" max=${longest} step="0.125" .value=${live(String(duration))} @input=${setDuration}>
        <input type="number" id="duration" class="short" min="0" max=${longest} step="any" .value=${live(formatNumber(duration))} @change=${setDuration} aria-describedby="duration-notes">
        <span class="unit">s</span>
      </div>`,
    })}
    ${field({
      id: "fps",
      label: "Rate",
      names: ["fps"],
      input: html`<div class="row">
        <input type="number" id="fps" class="short" aria-describedby="fps-notes" list="rates" min="1" step="any" .value=${live(formatNumber(fps))}
          @change=${(/** @type {any} */ event) => setLength({ fps: Number(event.target.value) })}>
        <span class="unit">fps</span>
        <datalist id="rates">${RATES.map((rate) => html`<option value=${rate}></option>`)}</datalist>
      </div>`,
    })}
  </div>`;
}

/** Change the length. Pictures keep their places in time. @param {{duration?: number, fps?: number}} changed */
function setLength(changed) {
  const before = numFrames.peek();
  change(changed);
  stretchPictures(before, numFrames.peek());
}

/** The longest clip of an area, from the server's limits. @param {number} area */
function longestSeconds(area) {
  const durations = Object.entries(/** @type {Record<string, number>} */ (model.value?.limits.duration_s ?? {}));
  const fitting = durations.filter(([size]) => area <= areaOf(size)).map(([, seconds]) => seconds);
  return fitting.length > 0 ? Math.max(...fitting) : Math.min(20, ...durations.map(([, seconds]) => seconds));
}

/** @param {string} size WIDTHxHEIGHT */
function areaOf(size) {
  const [width, height] = size.split("x").map(Number);
  return width * height;
}
