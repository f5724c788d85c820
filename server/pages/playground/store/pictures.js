// @ts-check
/** The pictures of the draft: adding, moving and removing them. */

import { signal } from "../vendor/signals-core/signals-core.mjs";
import { numFrames, pictures } from "./draft.js";

/** Names of the files that were added last and are no pictures. */
export const refusedFiles = signal(/** @type {string[]} */ ([]));

let nextId = 1;

/** Add picture files at the end; those that nobody has moved are spread over the clip. @param {Iterable<File>} files */
export async function addPictures(files) {
  const all = [...files];
  const read = await Promise.all(all.map(readPicture));
  const added = read.filter((picture) => picture !== null);
  refusedFiles.value = all.filter((_, i) => read[i] === null).map(({ name }) => name);
  if (added.length > 0) pictures.value = spread([...pictures.peek(), ...added]);
}

/** @param {File} file @returns {Promise<import("./draft.js").Picture | null>} Null if the browser cannot show it. */
async function readPicture(file) {
  const url = URL.createObjectURL(file);
  const image = new Image();
  image.src = url;
  const isShown = await image.decode().then(() => true, () => false);
  const size = { width: image.naturalWidth, height: image.naturalHeight };
  // The server reads more formats than browsers do, such as HEIC and TIFF.
  if (!isShown && !/\.(heic|heif|tiff?|avif|bmp)$/i.test(file.name)) {
    URL.revokeObjectURL(url);
    return null;
  }
  return { id: nextId++, file, url, ...size, frame: 0, isMoved: false, strength: 1, crf: null };
}

/** Place pictures evenly, the first at frame 0, the last at the end; those that were moved stay. @param {import("./draft.js").Picture[]} all */
function spread(all) {
  const last = numFrames.peek() - 1;
  const place = (/** @type {number} */ i) => (all.length === 1 ? 0 : Math.round((last * i) / (all.length - 1)));
  return all.map((picture, i) => (picture.isMoved ? picture : { ...picture, frame: place(i) }));
}

/** @param {number} id @param {Partial<import("./draft.js").Picture>} change */
export function changePicture(id, change) {
  pictures.value = pictures.peek().map((picture) => (picture.id === id ? { ...picture, ...change } : picture));
}

/** @param {number} id @param {number} frame */
export function movePicture(id, frame) {
  changePicture(id, { frame: Math.min(Math.max(Math.round(frame), 0), numFrames.peek() - 1), isMoved: true });
}

/** @param {number} id */
export function removePicture(id) {
  const removed = pictures.peek().find((picture) => picture.id === id);
  if (removed) URL.revokeObjectURL(removed.url);
  const left = pictures.peek().filter((picture) => picture.id !== id);
  pictures.value = left.length === 1 ? [{ ...left[0], frame: 0, isMoved: false }] : left;
}

/** Keep pictures at their place of the clip when its length changes. @param {number} before @param {number} after */
export function stretchPictures(before, after) {
  if (before === after || before < 2) return;
  const scale = (after - 1) / (before - 1);
  pictures.value = pictures.peek().map((picture) => ({ ...picture, frame: Math.round(picture.frame * scale) }));
}

/** The part of a picture that the clip shows, as fractions of its sides. @param {{width: number, height: number}} picture @param {{width: number, height: number}} clip */
export function shownPart(picture, clip) {
  const scale = Math.max(clip.width / picture.width, clip.height / picture.height);
  return { width: clip.width / scale / picture.width, height: clip.height / scale / picture.height };
}
