// @ts-check
/** The clip's frames: keyframes as pins that are dragged along it, the part that is retaken, and the sound. */

import { cssVariables, html, nothing, repeat, svg } from "../dom.js";
import { formatNumber } from "../format.js";
import { areKeyframes, changeSource, checked, draft, numFrames, ownSound, pictures, source } from "../store/draft.js";
import { movePicture, removePicture } from "../store/pictures.js";

// A latent holds 8 frames: the grid on which the model thinks.
const FRAMES_PER_LATENT = 8;
const TICKS = [1, 2, 5, 10, 24, 48, 96, 120, 240];

export function timeline() {
  const last = numFrames.value - 1;
  const fps = checked.value?.fps ?? draft.value.fps;
  return html`<div class="timeline" aria-label="Timeline" role="group">
    <div class="ruler" aria-hidden="true">${ticks(last).map((frame) => html`<span ${at(frame, last)}>${frame}</span>`)}</div>
    <div class="track pictures-track" ${cssVariables({ latents: last / FRAMES_PER_LATENT })}>
      ${source.value ? retakenPart(last, fps) : nothing}
      ${repeat(pictures.value, ({ id }) => id, (picture, index) => pin(picture, index, last, fps))}
    </div>
    ${ownSound.value ? soundTrack(ownSound.value, last / fps) : nothing}
  </div>`;
}

/** The sound below the frames that it drives, from where the clip begins in it. @param {import("../store/draft.js").OwnSound} sound @param {number} seconds Of the clip. */
function soundTrack({ file, seconds: length, peaks }, seconds) {
  const { audioStart } = draft.value;
  const bars = peaks.map((peak, i) => {
    const x = ((i / peaks.length) * length - audioStart) / seconds;
    return x < 0 || x > 1 ? nothing : svg`<path d="M${x * 1000} ${16 - 15 * peak}V${16 + 15 * peak}"/>`;
  });
  return html`<div class="track sound-track"><svg viewBox="0 0 1000 32" preserveAspectRatio="none" aria-hidden="true">${bars}</svg><span>${file.name}</span></div>`;
}

/** @param {number} frame @param {number} last */
const at = (frame, last) => cssVariables({ at: `${(100 * frame) / last}%` });

/** Frames to label: about one for each tenth of the clip. @param {number} last */
function ticks(last) {
  const step = TICKS.find((candidate) => last / candidate <= 10) ?? 480;
  return Array.from({ length: Math.floor(last / step) + 1 }, (_, i) => i * step);
}

/** @param {import("../store/draft.js").Picture} picture @param {number} index @param {number} last @param {number} fps */
function pin(picture, index, last, fps) {
  const { id, frame, url, width } = picture;
  const isFixed = !areKeyframes.value;
  return html`<div class="pin ${isFixed ? "fixed" : ""}" ${at(Math.min(frame, last), last)} role="slider" tabindex="0"
      aria-label="Picture ${index + 1}" aria-valuemin="0" aria-valuemax=${last} aria-valuenow=${frame} aria-disabled=${isFixed}
      aria-valuetext="frame ${frame}, ${formatNumber(frame / fps)} seconds"
      @keydown=${(/** @type {KeyboardEvent} */ event) => onKey(event, picture, last)}
      @pointerdown=${(/** @type {PointerEvent} */ event) => !isFixed && drag(event, (position) => movePicture(id, position * last))}>
    ${width > 0 ? html`<img src=${url} alt="" draggable="false">` : nothing}<span>${frame}</span>
  </div>`;
}

/** @param {KeyboardEvent} event @param {import("../store/draft.js").Picture} picture @param {number} last */
function onKey(event, { id, frame }, last) {
  const step = event.shiftKey ? FRAMES_PER_LATENT : 1;
  /** @type {Record<string, number>} */
  const targets = { ArrowLeft: frame - step, ArrowDown: frame - step, ArrowRight: frame + step, ArrowUp: frame + step, Home: 0, End: last };
  if (event.key === "Delete" || event.key === "Backspace") removePicture(id);
  else if (areKeyframes.peek() && event.key in targets) movePicture(id, targets[event.key]);
  else return;
  event.preventDefault();
}

/**
 * Follow the pointer along the track until it is released.
 *
 * @param {PointerEvent} event
 * @param {(position: number) => void} move Gets the position on the track, 0 to 1.
 */
function drag(event, move) {
  const handle = /** @type {HTMLElement} */ (event.currentTarget);
  const { left, width } = /** @type {HTMLElement} */ (handle.closest(".track")).getBoundingClientRect();
  const onMove = (/** @type {PointerEvent} */ moved) => move(Math.min(Math.max((moved.clientX - left) / width, 0), 1));
  const onEnd = () => {
    handle.removeEventListener("pointermove", onMove);
    handle.removeEventListener("pointerup", onEnd);
    handle.removeEventListener("pointercancel", onEnd);
  };
  handle.setPointerCapture(event.pointerId);
  handle.addEventListener("pointermove", onMove);
  handle.addEventListener("pointerup", onEnd);
  handle.addEventListener("pointercancel", onEnd);
  handle.focus();
  event.preventDefault();
}

/** The part of a given clip that is rendered: a window with two handles, or what is added at its end. @param {number} last @param {number} fps */
function retakenPart(last, fps) {
  const { work, start, end, duration } = /** @type {import("../store/draft.js").Source} */ (source.value);
  if (work === "continue") {
    const joint = Math.min(Math.round(duration * fps), last);
    return html`<div class="window added" ${cssVariables({ from: `${(100 * joint) / last}%`, to: "100%" })}><span>new</span></div>`;
  }
  const percent = (/** @type {number} */ seconds) => `${(100 * Math.min(seconds, duration)) / duration}%`;
  const handle = (/** @type {"start" | "end"} */ name, /** @type {number} */ value) => {
    const set = (/** @type {number} */ seconds) => changeSource({ [name]: Math.round(Math.min(Math.max(seconds, 0), duration) * 100) / 100 });
    const onArrow = (/** @type {KeyboardEvent} */ event) => {
      const step = (event.shiftKey ? FRAMES_PER_LATENT : 1) / fps;
      if (event.key === "ArrowLeft") set(value - step);
      else if (event.key === "ArrowRight") set(value + step);
      else return;
      event.preventDefault();
    };
    return html`<div class="edge" role="slider" tabindex="0" aria-label="${name === "start" ? "Start" : "End"} of the part" aria-valuemin="0" aria-valuemax=${duration}
      aria-valuenow=${value} aria-valuetext="${formatNumber(value)} seconds" ${cssVariables({ at: percent(value) })} @keydown=${onArrow}
      @pointerdown=${(/** @type {PointerEvent} */ event) => drag(event, (position) => set(position * duration))}></div>`;
  };
  return html`<div class="window" ${cssVariables({ from: percent(start), to: percent(end) })}><span>new</span></div>${handle("start", start)}${handle("end", end)}`;
}
