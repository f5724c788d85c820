// @ts-check
/** The clips that the server keeps, and those that it is making. */

import { LTX23Error } from "../ltx23.js";
import { computed, effect, signal } from "../vendor/signals-core/signals-core.mjs";
import { client, isKeyError } from "./server.js";

/**
 * @typedef {import("../ltx23.js").Video} Video
 * @typedef {{progress: import("../ltx23.js").Progress | null, preview: string | null}} Live
 */

const PAGE = 48;
// A browser opens six connections to a server at most, and each followed video holds one.
const MAX_FOLLOWED = 3;

export const videos = signal(/** @type {Video[]} */ ([]));
export const hasMore = signal(false);
export const wasListed = signal(false);
/** What is known of unfinished videos, by id. */
export const live = signal(/** @type {Record<string, Live>} */ ({}));
export const selectedId = signal(/** @type {string | null} */ (null));
export const selected = computed(() => videos.value.find(({ id }) => id === selectedId.value) ?? null);
export const search = signal("");
export const libraryProblem = signal(/** @type {string | null} */ (null));

export const found = computed(() => {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  return videos.value.filter(({ prompt, original_prompt, id }) => {
    const text = `${prompt} ${original_prompt} ${id}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
});

/** @param {Video} video */
export const isFinished = ({ status }) => status === "completed" || status === "failed";

/** List the newest videos; older ones that are listed stay. */
export async function listVideos() {
  await listPage(undefined);
}

export async function listMore() {
  await listPage(videos.peek().at(-1)?.id);
}

/** Search all clips, not only the listed ones: list the rest of them. @param {string} text */
export async function searchVideos(text) {
  search.value = text;
  while (search.peek() === text && text && hasMore.peek() && !libraryProblem.peek()) await listMore();
}

/** List the videos after one, in the place of what was known of this part of the list. @param {string | undefined} after */
async function listPage(after) {
  try {
    const before = new Set(videos.peek());
    const { data, has_more, last_id } = await client.list({ limit: PAGE, after });
    const isListed = (/** @type {Video} */ { id }) => (after === undefined || id < after) && (last_id === null || id >= last_id);
    const others = videos.peek().filter((video) => !before.has(video) || !isListed(video));
    const known = new Set(others.map(({ id }) => id));
    const fresh = data.filter(({ id }) => !known.has(id)).map(withKnownUrl);
    const isEnd = others.every(({ id }) => last_id === null || id > last_id);
    videos.value = [...others, ...fresh].sort((a, b) => (a.id < b.id ? 1 : -1));
    if (isEnd) hasMore.value = has_more;
    libraryProblem.value = null;
    wasListed.value = true;
  } catch (error) {
    if (!isKeyError(error)) libraryProblem.value = messageOf(error);
  }
}

/** Keep the link that is known: another one would start its player anew. @param {Video} video @returns {Video} */
function withKnownUrl(video) {
  const known = videos.peek().find(({ id }) => id === video.id)?.url;
  return known ? { ...video, url: known } : video;
}

/** Show a video, with a new link to its file: links expire. @param {string} id */
export async function openVideo(id) {
  selectedId.value = id;
  try {
    putVideos([await client.get(id)]);
  } catch (error) {
    if (error instanceof LTX23Error && error.status === 404) forgetVideo(id);
    else if (!isKeyError(error)) libraryProblem.value = messageOf(error);
  }
}

/** Add new videos, or replace what is known of them. @param {Video[]} changed */
export function putVideos(changed) {
  const ids = new Set(changed.map(({ id }) => id));
  const others = videos.peek().filter(({ id }) => !ids.has(id));
  videos.value = [...others, ...changed].sort((a, b) => (a.id < b.id ? 1 : -1));
}

/** @param {string} id */
export function forgetVideo(id) {
  videos.value = videos.peek().filter((video) => video.id !== id);
  if (selectedId.peek() === id) selectedId.value = null;
  dropLive(id);
}

/** Delete a video; cancel it if it is not finished. @param {string} id */
export async function deleteVideo(id) {
  try {
    await client.delete(id);
    forgetVideo(id);
  } catch (error) {
    if (error instanceof LTX23Error && error.status === 404) forgetVideo(id);
    else if (!isKeyError(error)) libraryProblem.value = messageOf(error);
  }
}

const followed = new Set();

/** Follow the video that is shown and the oldest of the unfinished ones. */
export function followUnfinished() {
  effect(() => {
    const unfinished = videos.value.filter((video) => !isFinished(video)).map(({ id }) => id);
    const shown = unfinished.filter((id) => id === selectedId.value);
    const wanted = new Set([...shown, ...unfinished.reverse()]);
    [...wanted].slice(0, MAX_FOLLOWED).forEach((id) => follow(id));
  });
}

/** Follow a video to its end. @param {string} id */
async function follow(id) {
  if (followed.has(id)) return;
  followed.add(id);
  try {
    for await (const event of client.events(id)) {
      if (event.type === "progress") setLive(id, { progress: event.data });
      else if (event.type === "preview") setLive(id, { preview: `data:${event.data.content_type};base64,${event.data.data}` });
      else if (event.type === "cancelled") forgetVideo(id);
      else putVideos([event.data]);
    }
  } catch (error) {
    if (error instanceof LTX23Error && error.status === 404) forgetVideo(id);
    else if (!isKeyError(error)) libraryProblem.value = messageOf(error);
  } finally {
    followed.delete(id);
    dropLive(id);
  }
}

/** @param {string} id @param {Partial<Live>} change */
function setLive(id, change) {
  const before = live.peek()[id] ?? { progress: null, preview: null };
  live.value = { ...live.peek(), [id]: { ...before, ...change } };
}

/** @param {string} id */
function dropLive(id) {
  const { [id]: _, ...others } = live.peek();
  live.value = others;
}

/** @param {unknown} error */
export const messageOf = (error) => (error instanceof Error ? error.message : String(error));

const thumbnails = /** @type {Map<string, string>} */ (new Map());

/** Return the address of a clip's first frame, loaded once. @param {string} id @returns {Promise<string>} */
export async function loadThumbnail(id) {
  const known = thumbnails.get(id);
  if (known) return known;
  const url = URL.createObjectURL(await client.content(id, { variant: "thumbnail" }));
  thumbnails.set(id, url);
  return url;
}
