// @ts-check
/**
 * A client of an LTX-2.3 server, for browsers and Node 20. One file, no dependencies.
 *
 * @example
 * const ltx = new LTX23({ baseUrl: "http://127.0.0.1:8000" });
 * const { video, blob } = await ltx.generate({ prompt: "rain on a tin roof", duration: 2 });
 */

/**
 * @typedef {Blob | ArrayBuffer | Uint8Array | string} Media A file, its bytes, base64, or a data: URL.
 *
 * @typedef {object} Keyframe
 * @property {Media} image
 * @property {number} frame 0 to num_frames - 1, or -1 for the last one.
 * @property {number} [strength] 0 ignores the picture, 1 keeps it unchanged.
 * @property {number} [crf]
 *
 * @typedef {object} VideoRequest Every field of POST /generate is accepted; these have a form of their own.
 * @property {string} prompt
 * @property {Media} [image] The first frame.
 * @property {Keyframe[]} [keyframes]
 * @property {Media} [audio] A sound that drives the picture.
 * @property {Media} [video] A clip, for `retake` or `continue`.
 *
 * @typedef {VideoRequest & Record<string, unknown>} Request
 *
 * @typedef {object} Adjustment A field that was not used as it was sent.
 * @property {string} field
 * @property {string | number | boolean | null} requested
 * @property {string | number | boolean | null} used
 * @property {string} reason
 *
 * @typedef {object} VideoFields
 * @property {string} id
 * @property {"queued" | "in_progress" | "completed" | "failed"} status
 * @property {number} progress Percent.
 * @property {number} created_at Unix seconds.
 * @property {number | null} completed_at
 * @property {number | null} expires_at
 * @property {string} prompt
 * @property {string} original_prompt
 * @property {boolean} enhanced
 * @property {number} width
 * @property {number} height
 * @property {number} num_frames
 * @property {number} fps
 * @property {number} duration Seconds.
 * @property {boolean} has_audio
 * @property {number} seed
 * @property {"mp4" | "webm"} video_format
 * @property {number} size_bytes
 * @property {number | null} inference_time_s
 * @property {Adjustment[]} adjustments
 * @property {Record<string, number>} timings Seconds in each stage.
 * @property {{code: string, message: string} | null} error
 * @property {string | null} url A link that needs no key, once the file exists.
 * @property {string | null} remixed_from_video_id
 * @property {string[]} [batch] The ids of all videos of a request with `n`.
 *
 * @typedef {VideoFields & Record<string, unknown>} Video
 *
 * @typedef {object} Progress
 * @property {string} id
 * @property {"queued" | "in_progress"} status
 * @property {number | null} position Place in the queue, from 1.
 * @property {string | null} stage
 * @property {number} step
 * @property {number} steps
 * @property {number} percent
 * @property {number | null} seconds_left
 *
 * @typedef {object} Preview
 * @property {string} stage
 * @property {number} step
 * @property {number} steps
 * @property {string} content_type
 * @property {string | null} url
 * @property {string | null} data Base64.
 *
 * @typedef {{type: "progress", data: Progress} | {type: "preview", data: Preview}
 *   | {type: "completed" | "failed", data: Video} | {type: "cancelled", data: {id: string}}} VideoEvent
 *
 * @typedef {object} FieldProblem
 * @property {(string | number)[]} path Where it is in the request: `["keyframes", 1, "image_b64"]`.
 * @property {string} message
 * @property {string} code The problem's name for programs: `missing`, `does_not_fit`.
 *
 * @typedef {object} GenerateOptions
 * @property {AbortSignal} [signal] Cancels the video on the server, too.
 * @property {(video: Video) => void} [onCreated]
 * @property {(progress: Progress) => void} [onProgress]
 * @property {(preview: Preview) => void} [onPreview]
 */

/** An answer that is not a success. `fields` says what is wrong with which field of the request. */
export class LTX23Error extends Error {
  /**
   * @param {string} message
   * @param {{status?: number, code?: string | null, fields?: FieldProblem[], retryAfterS?: number | null, cause?: unknown}} [details]
   */
  constructor(message, { status = 0, code = null, fields = [], retryAfterS = null, cause } = {}) {
    super(message, { cause });
    this.name = "LTX23Error";
    /** The HTTP status, or 0 if the server could not be reached. */
    this.status = status;
    this.code = code;
    this.fields = fields;
    this.retryAfterS = retryAfterS;
  }
}

const RETRIED = new Set([429, 503]);
const FINAL = new Set(["completed", "failed", "cancelled"]);
const LONGEST_WAIT_S = 60;

export class LTX23 {
  /**
   * @param {object} [options]
   * @param {string} [options.baseUrl] The server's address. In a page, the page's own server if omitted.
   * @param {string | (() => string | null) | null} [options.apiKey]
   * @param {typeof globalThis.fetch} [options.fetch]
   * @param {number} [options.retries] How often a refusal for lack of room, or a cut connection, is tried again.
   */
  constructor({ baseUrl, apiKey = null, fetch: send = globalThis.fetch, retries = 4 } = {}) {
    const base = baseUrl ?? globalThis.document?.baseURI;
    if (!base) throw new TypeError("baseUrl should be the address of a server, such as http://127.0.0.1:8000");
    this._base = base.endsWith("/") ? base : `${base}/`;
    this._apiKey = apiKey;
    this._fetch = send.bind(globalThis);
    this._retries = retries;
  }

  /** @returns {Promise<Record<string, any>>} The state of the server, also if it is not ready. */
  async health({ signal } = /** @type {{signal?: AbortSignal}} */ ({})) {
    const response = await this._send("health", { signal });
    if (response.status !== 503 && !response.ok) throw await errorOf(response);
    const state = await response.json();
    if (!("workers" in state)) throw new LTX23Error("This is not the /health of an LTX-2.3 server", { status: response.status });
    return state;
  }

  /** @returns {Promise<Record<string, any>>} The model, its limits, defaults and features. */
  async model({ signal } = /** @type {{signal?: AbortSignal}} */ ({})) {
    return (await this._json("models", { signal })).data[0];
  }

  /**
   * Say what a request would become, without rendering it. What would be refused is thrown as an LTX23Error.
   *
   * @param {Request} request
   * @returns {Promise<{width: number, height: number, num_frames: number, fps: number, duration: number,
   *   has_audio: boolean, adjustments: Adjustment[]}>}
   */
  async check(request, { signal } = /** @type {{signal?: AbortSignal}} */ ({})) {
    return this._json("check", { ...(await post(request)), signal });
  }

  /**
   * Rewrite a prompt without rendering it.
   *
   * @param {Request} request
   * @returns {Promise<{prompt: string, caption: string | null, notes: string[], timings: Record<string, number>}>}
   */
  async enhance(request, { signal } = /** @type {{signal?: AbortSignal}} */ ({})) {
    return this._json("enhance", { ...(await post(request)), signal });
  }

  /**
   * Create a video. It is rendered in the background.
   *
   * @param {Request} request
   * @returns {Promise<Video>}
   */
  async create(request, { signal } = /** @type {{signal?: AbortSignal}} */ ({})) {
    const sent = await post(request);
    // A request that is repeated after a cut connection finds the video that the first one made.
    sent.headers["Idempotency-Key"] = globalThis.crypto?.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
    signal?.throwIfAborted();
    try {
      return await this._json("v1/videos", { ...sent, signal }, this._retries);
    } catch (error) {
      if (signal?.aborted) this._forget(sent).catch(() => {});
      throw error;
    }
  }

  /**
   * Delete the videos of a request that was given up before its answer came: asked again, the server names them.
   *
   * @param {RequestInit} sent
   */
  async _forget(sent) {
    const { id, batch = [id] } = await this._json("v1/videos", sent);
    await Promise.all(batch.map((/** @type {string} */ id) => this.delete(id)));
  }

  /** @param {string} id @returns {Promise<Video>} */
  async get(id, { signal } = /** @type {{signal?: AbortSignal}} */ ({})) {
    return this._json(`v1/videos/${encodeURIComponent(id)}`, { signal }, this._retries);
  }

  /**
   * @param {{limit?: number, after?: string, order?: "asc" | "desc", signal?: AbortSignal}} [options]
   * @returns {Promise<{data: Video[], has_more: boolean, last_id: string | null}>} A page of videos, newest first.
   */
  async list({ limit = 20, after, order = "desc", signal } = {}) {
    const query = new URLSearchParams({ limit: String(limit), order, ...(after ? { after } : {}) });
    return this._json(`v1/videos?${query}`, { signal }, this._retries);
  }

  /** Delete a video; cancel it if it is not finished. @param {string} id @returns {Promise<void>} */
  async delete(id) {
    await this._json(`v1/videos/${encodeURIComponent(id)}`, { method: "DELETE" });
  }

  /**
   * Render a video of the server anew with another prompt.
   *
   * @param {string} id
   * @param {Request} request
   * @returns {Promise<Video>}
   */
  async remix(id, request, { signal } = /** @type {{signal?: AbortSignal}} */ ({})) {
    return this._json(`v1/videos/${encodeURIComponent(id)}/remix`, { ...(await post(request)), signal });
  }

  /**
   * The clip, its first frame (WebP), or a sheet of its frames (JPEG).
   *
   * @param {string} id
   * @param {{variant?: "video" | "thumbnail" | "spritesheet", signal?: AbortSignal}} [options]
   * @returns {Promise<Blob>}
   */
  async content(id, { variant = "video", signal } = {}) {
    const path = `v1/videos/${encodeURIComponent(id)}/content?variant=${variant}`;
    const read = async () => {
      const response = await accepted(await this._send(path, { signal }, this._retries), ["video/", "image/"]);
      const blob = await response.blob();
      if (!blob.size) throw new Error("The server sent an empty file");
      return blob;
    };
    return this._again(read, this._retries, signal);
  }

  /**
   * Follow a video to its end. Connects again if the connection is cut.
   *
   * @param {string} id
   * @param {{preview?: "link" | "data" | "off", signal?: AbortSignal}} [options]
   * @returns {AsyncGenerator<VideoEvent, void, undefined>}
   */
  async *events(id, { preview = "data", signal } = {}) {
    const path = `v1/videos/${encodeURIComponent(id)}/events?preview=${preview}`;
    for (let failures = 0; ; ) {
      try {
        const sent = await this._send(path, { signal, headers: { Accept: "text/event-stream" } }, this._retries);
        const { body } = await accepted(sent, ["text/event-stream"]);
        for await (const { event, data } of body ? parseEvents(body) : []) {
          failures = 0;
          yield /** @type {VideoEvent} */ ({ type: event, data: JSON.parse(data) });
          if (FINAL.has(event)) return;
        }
        throw new LTX23Error("The server ended the events before the video was finished");
      } catch (error) {
        failures += 1;
        if (signal?.aborted || !isCut(error) || failures > this._retries) throw error;
        await wait(failures, signal);
      }
    }
  }

  /**
   * Make a clip and wait for it.
   *
   * @param {Request} request
   * @param {GenerateOptions} [options]
   * @returns {Promise<{video: Video, blob: Blob}>}
   */
  async generate(request, { signal, onCreated, onProgress, onPreview } = {}) {
    const created = await this.create(request, { signal });
    onCreated?.(created);
    const video = await this.finished(created.id, { signal, onProgress, onPreview });
    return { video, blob: await this.content(video.id, { signal }) };
  }

  /**
   * Wait until a video is finished. An aborted signal deletes it.
   *
   * @param {string} id
   * @param {GenerateOptions} [options]
   * @returns {Promise<Video>} Throws LTX23Error if the render fails or the video is deleted.
   */
  async finished(id, { signal, onProgress, onPreview } = {}) {
    try {
      for await (const event of this.events(id, { signal, preview: onPreview ? "data" : "off" })) {
        if (event.type === "progress") onProgress?.(event.data);
        else if (event.type === "preview") onPreview?.(event.data);
        else if (event.type === "completed") return event.data;
        else if (event.type === "failed") throw failureOf(event.data);
        else break;
      }
    } catch (error) {
      if (signal?.aborted) await this.delete(id).catch(() => {});
      throw error;
    }
    throw new LTX23Error("The video was deleted before it was finished", { code: "cancelled" });
  }

  /** @returns {Record<string, string>} The headers that present the key. */
  _authorization() {
    const key = typeof this._apiKey === "function" ? this._apiKey() : this._apiKey;
    return key ? { Authorization: `Bearer ${key}` } : {};
  }

  /**
   * @param {string} path
   * @param {RequestInit} init
   * @param {number} [retries]
   */
  async _json(path, init, retries = 0) {
    const read = async () => {
      const response = await accepted(await this._send(path, init, retries), ["application/json"]);
      return response.json();
    };
    return this._again(read, retries, init.signal ?? undefined);
  }

  /**
   * Send a request. Waits and tries again if the server has no room or is not ready.
   *
   * @param {string} path
   * @param {RequestInit} init
   * @param {number} [retries]
   * @returns {Promise<Response>}
   */
  async _send(path, init, retries = 0) {
    const headers = { ...this._authorization(), ...init.headers };
    for (let attempt = 1; ; attempt += 1) {
      /** @type {Response} */
      let response;
      try {
        response = await this._fetch(new URL(path, this._base), { ...init, headers });
      } catch (cause) {
        if (init.signal?.aborted) throw cause;
        if (attempt > retries) throw new LTX23Error(`The server at ${this._base} cannot be reached`, { cause });
        await wait(attempt, init.signal ?? undefined);
        continue;
      }
      if (!RETRIED.has(response.status) || attempt > retries) return response;
      const retryAfterS = Number(response.headers.get("Retry-After")) || attempt;
      await response.body?.cancel();
      await wait(Math.min(retryAfterS, LONGEST_WAIT_S), init.signal ?? undefined);
    }
  }

  /**
   * Repeat what was cut off while its answer was read.
   *
   * @template T
   * @param {() => Promise<T>} read
   * @param {number} retries
   * @param {AbortSignal} [signal]
   * @returns {Promise<T>}
   */
  async _again(read, retries, signal) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await read();
      } catch (error) {
        if (signal?.aborted || error instanceof LTX23Error || attempt > retries) throw error;
        await wait(attempt, signal);
      }
    }
  }
}

/**
 * Return a request as it is sent, with every file as base64.
 *
 * @param {Request} request
 * @returns {Promise<Record<string, unknown>>}
 */
export async function wireFields({ image, keyframes, audio, video, ...fields }) {
  /** @type {Record<string, unknown>} */
  const wire = { ...fields };
  if (image !== undefined) wire.input_image_b64 = await base64(image);
  if (audio !== undefined) wire.audio_b64 = await base64(audio);
  if (video !== undefined) wire.video_b64 = await base64(video);
  if (keyframes !== undefined) {
    wire.keyframes = await Promise.all(
      keyframes.map(async ({ image, frame, ...rest }) => ({ image_b64: await base64(image), frame_idx: frame, ...rest })),
    );
  }
  return wire;
}

/** @param {Request} request @returns {Promise<{method: string, headers: Record<string, string>, body: string}>} */
async function post(request) {
  const body = JSON.stringify(await wireFields(request));
  return { method: "POST", headers: { "Content-Type": "application/json" }, body };
}

/** @param {Media} media @returns {Promise<string>} */
async function base64(media) {
  if (typeof media === "string") return media;
  const buffer = media instanceof Blob ? await media.arrayBuffer() : media;
  const bytes = buffer instanceof Uint8Array ? buffer : new Uint8Array(buffer);
  let text = "";
  // In pieces, because a call takes a limited number of arguments.
  for (let start = 0; start < bytes.length; start += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(start, start + 0x8000));
  }
  return btoa(text);
}

/**
 * Return a success of one of the types. Throws LTX23Error for any other answer, such as the page of a proxy.
 *
 * @param {Response} response
 * @param {string[]} types
 * @returns {Promise<Response>}
 */
async function accepted(response, types) {
  if (!response.ok) throw await errorOf(response);
  const type = response.headers.get("Content-Type") ?? "nothing";
  if (types.some((wanted) => type.startsWith(wanted))) return response;
  await response.body?.cancel();
  throw new LTX23Error(`The server sent ${type} instead of ${types.join(" or ")}`, { status: response.status });
}

/** @param {Response} response @returns {Promise<LTX23Error>} */
async function errorOf(response) {
  const body = await response.json().catch(() => ({}));
  const { detail, error } = body ?? {};
  /** @type {FieldProblem[]} */
  const fields = Array.isArray(detail)
    ? detail.map(({ loc, msg, type }) => ({ path: loc[0] === "body" ? loc.slice(1) : loc, message: msg, code: type }))
    : [];
  const first = fields[0] && [fields[0].path.join("."), fields[0].message].filter(Boolean).join(": ");
  const message = first ?? (typeof detail === "string" ? detail : `The server answered ${response.status}`);
  const retryAfterS = Number(response.headers.get("Retry-After")) || null;
  return new LTX23Error(message, { status: response.status, code: error?.code ?? null, fields, retryAfterS });
}

/** @param {Video} video */
function failureOf({ error }) {
  return new LTX23Error(error?.message ?? "The render failed", { status: 500, code: error?.code ?? null });
}

/** @param {unknown} error Whether the connection broke, rather than the server having refused. */
function isCut(error) {
  return !(error instanceof LTX23Error) || error.status === 0;
}

/**
 * Split a stream of server-sent events.
 *
 * @param {ReadableStream<Uint8Array>} body
 * @returns {AsyncGenerator<{event: string, data: string}, void, undefined>}
 */
async function* parseEvents(body) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const blocks = (rest + decoder.decode(value, { stream: true })).split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const lines = block.split("\n");
        const field = (/** @type {string} */ name) =>
          lines.filter((line) => line.startsWith(`${name}: `)).map((line) => line.slice(name.length + 2));
        const data = field("data").join("\n");
        if (data) yield { event: field("event")[0] ?? "message", data };
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** @param {number} seconds @param {AbortSignal} [signal] @returns {Promise<void>} */
function wait(seconds, signal) {
  return new Promise((resolve, reject) => {
    const ended = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", ended);
      resolve();
    }, seconds * 1000);
    if (signal?.aborted) ended();
    else signal?.addEventListener("abort", ended, { once: true });
  });
}
