// @ts-check
/** A sound file of one's own, with its length and its shape. */

import { ownSound } from "./draft.js";

const PARTS = 240;

/** Take a sound. The server reads formats that a browser may not: those have no shape. @param {File} file */
export async function takeSound(file) {
  ownSound.value = { file, seconds: 0, peaks: [] };
  const sound = await decode(file);
  if (ownSound.peek()?.file === file && sound) ownSound.value = { file, seconds: sound.duration, peaks: peaksOf(sound) };
}

/** @param {File} file @returns {Promise<AudioBuffer | null>} */
async function decode(file) {
  const context = new OfflineAudioContext(1, 1, 16_000);
  return context.decodeAudioData(await file.arrayBuffer()).catch(() => null);
}

/** @param {AudioBuffer} sound */
function peaksOf(sound) {
  const samples = sound.getChannelData(0);
  const length = Math.max(1, Math.ceil(samples.length / PARTS));
  const peaks = Array.from({ length: PARTS }, (_, part) =>
    samples.subarray(part * length, (part + 1) * length).reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 0),
  );
  const loudest = Math.max(...peaks) || 1;
  return peaks.map((peak) => peak / loudest);
}
