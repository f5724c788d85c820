// @ts-check
/** The server: whether it is there, what it can do, and the key that it asks for. */

import { LTX23, LTX23Error } from "../ltx23.js";
import { computed, signal } from "../vendor/signals-core/signals-core.mjs";

const POLL_MS = 2000;
// Of this tab alone; the browser forgets it with the tab.
const STORED_KEY = "ltx23-key";

export const apiKey = signal(sessionStorage.getItem(STORED_KEY));
export const keyProblem = signal(/** @type {string | null} */ (null));
export const needsKey = signal(false);
export const isReachable = signal(true);
export const health = signal(/** @type {Record<string, any> | null} */ (null));
export const model = signal(/** @type {Record<string, any> | null} */ (null));

// Until the server has answered, the form is as nearly every server has it: it would jump otherwise.
const USUAL_FEATURES = ["negative_prompt", "audio", "retake", "continue"];

export const features = computed(() => new Set(/** @type {string[]} */ (model.value?.features ?? USUAL_FEATURES)));

export const client = new LTX23({ apiKey: () => apiKey.peek() });
/** Sends requests once: whoever presses a button is told that the queue is full, rather than left waiting. */
export const sender = new LTX23({ apiKey: () => apiKey.peek(), retries: 0 });

/** Use a key from now on, or none. @param {string | null} key */
export async function useKey(key) {
  if (key) sessionStorage.setItem(STORED_KEY, key);
  else sessionStorage.removeItem(STORED_KEY);
  apiKey.value = key || null;
  needsKey.value = false;
  keyProblem.value = null;
  model.value = null;
  await refreshModel();
}

/** Note that the server refused the key, or asked for one. @param {unknown} error @returns {boolean} */
export function isKeyError(error) {
  if (!(error instanceof LTX23Error) || error.status !== 401) return false;
  keyProblem.value = apiKey.peek() ? "The server does not accept this key." : null;
  needsKey.value = true;
  return true;
}

async function refreshModel() {
  try {
    model.value = await client.model();
  } catch (error) {
    if (!isKeyError(error)) model.value = null;
  }
}

async function refresh() {
  const before = health.peek()?.status;
  try {
    health.value = await client.health();
    isReachable.value = true;
  } catch {
    isReachable.value = false;
    return;
  }
  const isNews = before !== health.peek()?.status || model.peek() === null;
  if (isNews && !needsKey.peek()) await refreshModel();
}

/** Follow the server's state as long as the page is looked at. */
export async function watchServer() {
  for (;;) {
    if (document.visibilityState === "visible") await refresh();
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
