/**
 * A client of an LTX-2.3 server, for browsers and Node 20. One file, no dependencies.
 *
 * @example
 * const ltx = new LTX23({ baseUrl: "http://127.0.0.1:8000" });
 * const { video, blob } = await ltx.generate({ prompt: "rain on a tin roof", duration: 2 });
 */
export type Media = Blob | ArrayBuffer | Uint8Array | string;
export type Keyframe = {
    image: Media;
    /**
     * 0 to num_frames - 1, or -1 for the last one.
     */
    frame: number;
    /**
     * 0 ignores the picture, 1 keeps it unchanged.
     */
    strength?: number;
    crf?: number;
};
export type VideoRequest = {
    prompt: string;
    /**
     * The first frame.
     */
    image?: Media;
    keyframes?: Keyframe[];
    /**
     * A sound that drives the picture.
     */
    audio?: Media;
    /**
     * A clip, for `retake` or `continue`.
     */
    video?: Media;
};
export type Request = VideoRequest & Record<string, unknown>;
export type Adjustment = {
    field: string;
    requested: string | number | boolean | null;
    used: string | number | boolean | null;
    reason: string;
};
export type VideoFields = {
    id: string;
    status: "queued" | "in_progress" | "completed" | "failed";
    /**
     * Percent.
     */
    progress: number;
    /**
     * Unix seconds.
     */
    created_at: number;
    completed_at: number | null;
    expires_at: number | null;
    prompt: string;
    original_prompt: string;
    enhanced: boolean;
    width: number;
    height: number;
    num_frames: number;
    fps: number;
    /**
     * Seconds.
     */
    duration: number;
    has_audio: boolean;
    seed: number;
    video_format: "mp4" | "webm";
    size_bytes: number;
    inference_time_s: number | null;
    adjustments: Adjustment[];
    /**
     * Seconds in each stage.
     */
    timings: Record<string, number>;
    error: {
        code: string;
        message: string;
    } | null;
    /**
     * A link that needs no key, once the file exists.
     */
    url: string | null;
    remixed_from_video_id: string | null;
    /**
     * The ids of all videos of a request with `n`.
     */
    batch?: string[];
};
export type Video = VideoFields & Record<string, unknown>;
export type Progress = {
    id: string;
    status: "queued" | "in_progress";
    /**
     * Place in the queue, from 1.
     */
    position: number | null;
    stage: string | null;
    step: number;
    steps: number;
    percent: number;
    seconds_left: number | null;
};
export type Preview = {
    stage: string;
    step: number;
    steps: number;
    content_type: string;
    url: string | null;
    /**
     * Base64.
     */
    data: string | null;
};
export type VideoEvent = {
    type: "progress";
    data: Progress;
} | {
    type: "preview";
    data: Preview;
} | {
    type: "completed" | "failed";
    data: Video;
} | {
    type: "cancelled";
    data: {
        id: string;
    };
};
export type FieldProblem = {
    /**
     * Where it is in the request: `["keyframes", 1, "image_b64"]`.
     */
    path: (string | number)[];
    message: string;
    /**
     * The problem's name for programs: `missing`, `does_not_fit`.
     */
    code: string;
};
export type GenerateOptions = {
    /**
     * Cancels the video on the server, too.
     */
    signal?: AbortSignal;
    onCreated?: (video: Video) => void;
    onProgress?: (progress: Progress) => void;
    onPreview?: (preview: Preview) => void;
};
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
export declare class LTX23Error extends Error {
    /** The HTTP status, or 0 if the server could not be reached. */
    status: number;
    code: string | null;
    fields: FieldProblem[];
    retryAfterS: number | null;
    /**
     * @param {string} message
     * @param {{status?: number, code?: string | null, fields?: FieldProblem[], retryAfterS?: number | null, cause?: unknown}} [details]
     */
    constructor(message: string, { status, code, fields, retryAfterS, cause }?: {
        status?: number;
        code?: string | null;
        fields?: FieldProblem[];
        retryAfterS?: number | null;
        cause?: unknown;
    });
}
export declare class LTX23 {
    _base: string;
    _apiKey: string | (() => string | null) | null;
    _fetch: typeof fetch;
    _retries: number;
    /**
     * @param {object} [options]
     * @param {string} [options.baseUrl] The server's address. In a page, the page's own server if omitted.
     * @param {string | (() => string | null) | null} [options.apiKey]
     * @param {typeof globalThis.fetch} [options.fetch]
     * @param {number} [options.retries] How often a refusal for lack of room, or a cut connection, is tried again.
     */
    constructor({ baseUrl, apiKey, fetch: send, retries }?: {
        baseUrl?: string;
        apiKey?: string | (() => string | null) | null;
        fetch?: typeof globalThis.fetch;
        retries?: number;
    });
    /** @returns {Promise<Record<string, any>>} The state of the server, also if it is not ready. */
    health({ signal }?: {
        signal?: AbortSignal;
    }): Promise<Record<string, any>>;
    /** @returns {Promise<Record<string, any>>} The model, its limits, defaults and features. */
    model({ signal }?: {
        signal?: AbortSignal;
    }): Promise<Record<string, any>>;
    /**
     * Say what a request would become, without rendering it. What would be refused is thrown as an LTX23Error.
     *
     * @param {Request} request
     * @returns {Promise<{width: number, height: number, num_frames: number, fps: number, duration: number,
     *   has_audio: boolean, adjustments: Adjustment[]}>}
     */
    check(request: Request, { signal }?: {
        signal?: AbortSignal;
    }): Promise<{
        width: number;
        height: number;
        num_frames: number;
        fps: number;
        duration: number;
        has_audio: boolean;
        adjustments: Adjustment[];
    }>;
    /**
     * Rewrite a prompt without rendering it.
     *
     * @param {Request} request
     * @returns {Promise<{prompt: string, caption: string | null, notes: string[], timings: Record<string, number>}>}
     */
    enhance(request: Request, { signal }?: {
        signal?: AbortSignal;
    }): Promise<{
        prompt: string;
        caption: string | null;
        notes: string[];
        timings: Record<string, number>;
    }>;
    /**
     * Create a video. It is rendered in the background.
     *
     * @param {Request} request
     * @returns {Promise<Video>}
     */
    create(request: Request, { signal }?: {
        signal?: AbortSignal;
    }): Promise<Video>;
    /**
     * Delete the videos of a request that was given up before its answer came: asked again, the server names them.
     *
     * @param {RequestInit} sent
     */
    _forget(sent: RequestInit): Promise<void>;
    /** @param {string} id @returns {Promise<Video>} */
    get(id: string, { signal }?: {
        signal?: AbortSignal;
    }): Promise<Video>;
    /**
     * @param {{limit?: number, after?: string, order?: "asc" | "desc", signal?: AbortSignal}} [options]
     * @returns {Promise<{data: Video[], has_more: boolean, last_id: string | null}>} A page of videos, newest first.
     */
    list({ limit, after, order, signal }?: {
        limit?: number;
        after?: string;
        order?: "asc" | "desc";
        signal?: AbortSignal;
    }): Promise<{
        data: Video[];
        has_more: boolean;
        last_id: string | null;
    }>;
    /** Delete a video; cancel it if it is not finished. @param {string} id @returns {Promise<void>} */
    delete(id: string): Promise<void>;
    /**
     * Render a video of the server anew with another prompt.
     *
     * @param {string} id
     * @param {Request} request
     * @returns {Promise<Video>}
     */
    remix(id: string, request: Request, { signal }?: {
        signal?: AbortSignal;
    }): Promise<Video>;
    /**
     * The clip, its first frame (WebP), or a sheet of its frames (JPEG).
     *
     * @param {string} id
     * @param {{variant?: "video" | "thumbnail" | "spritesheet", signal?: AbortSignal}} [options]
     * @returns {Promise<Blob>}
     */
    content(id: string, { variant, signal }?: {
        variant?: "video" | "thumbnail" | "spritesheet";
        signal?: AbortSignal;
    }): Promise<Blob>;
    /**
     * Follow a video to its end. Connects again if the connection is cut.
     *
     * @param {string} id
     * @param {{preview?: "link" | "data" | "off", signal?: AbortSignal}} [options]
     * @returns {AsyncGenerator<VideoEvent, void, undefined>}
     */
    events(id: string, { preview, signal }?: {
        preview?: "link" | "data" | "off";
        signal?: AbortSignal;
    }): AsyncGenerator<VideoEvent, void, undefined>;
    /**
     * Make a clip and wait for it.
     *
     * @param {Request} request
     * @param {GenerateOptions} [options]
     * @returns {Promise<{video: Video, blob: Blob}>}
     */
    generate(request: Request, { signal, onCreated, onProgress, onPreview }?: GenerateOptions): Promise<{
        video: Video;
        blob: Blob;
    }>;
    /**
     * Wait until a video is finished. An aborted signal deletes it.
     *
     * @param {string} id
     * @param {GenerateOptions} [options]
     * @returns {Promise<Video>} Throws LTX23Error if the render fails or the video is deleted.
     */
    finished(id: string, { signal, onProgress, onPreview }?: GenerateOptions): Promise<Video>;
    /** @returns {Record<string, string>} The headers that present the key. */
    _authorization(): Record<string, string>;
    /**
     * @param {string} path
     * @param {RequestInit} init
     * @param {number} [retries]
     */
    _json(path: string, init: RequestInit, retries?: number): Promise<any>;
    /**
     * Send a request. Waits and tries again if the server has no room or is not ready.
     *
     * @param {string} path
     * @param {RequestInit} init
     * @param {number} [retries]
     * @returns {Promise<Response>}
     */
    _send(path: string, init: RequestInit, retries?: number): Promise<Response>;
    /**
     * Repeat what was cut off while its answer was read.
     *
     * @template T
     * @param {() => Promise<T>} read
     * @param {number} retries
     * @param {AbortSignal} [signal]
     * @returns {Promise<T>}
     */
    _again<T>(read: () => Promise<T>, retries: number, signal?: AbortSignal): Promise<T>;
}
/**
 * Return a request as it is sent, with every file as base64.
 *
 * @param {Request} request
 * @returns {Promise<Record<string, unknown>>}
 */
export declare function wireFields({ image, keyframes, audio, video, ...fields }: Request): Promise<Record<string, unknown>>;
