// A video provider for Vercel's AI SDK 7: the settings of `generateVideo`, and every other field of the server in
// `providerOptions.ltx23`.
import { APICallError } from "ai";

const modelId = "LTX-23-Video";

/** @param {{ baseURL?: string, apiKey?: string, onProgress?: (video: object) => void }} options */
export function createLTX23({ baseURL = "http://127.0.0.1:8000", apiKey, onProgress } = {}) {
  async function send(path, { headers, body, abortSignal }) {
    const url = `${baseURL}/v1/videos${path}`;
    const response = await fetch(url, {
      method: body ? "POST" : "GET",
      headers: { ...headers, ...(apiKey && { Authorization: `Bearer ${apiKey}` }), "Content-Type": "application/json" },
      body: body && JSON.stringify(body),
      signal: abortSignal,
    });
    if (!response.ok) throw await callError(url, body, response);
    return response;
  }

  return {
    video: () => ({
      specificationVersion: "v4",
      provider: "ltx23",
      modelId,
      maxVideosPerCall: 1,

      async doStart({ headers, abortSignal, ...settings }) {
        const response = await send("", { headers, abortSignal, body: await fieldsOf(settings) });
        const { id, adjustments } = await response.json();
        const warnings = adjustments.map(({ field, reason }) => ({ type: "other", message: `${field}: ${reason}` }));
        return { operation: id, warnings, response: metadata(response) };
      },

      async doStatus({ operation: id, headers, abortSignal }) {
        const response = await send(`/${id}`, { headers, abortSignal });
        const video = await response.json();
        onProgress?.(video);
        if (video.status === "failed") {
          return { status: "error", error: video.error.message, response: metadata(response) };
        }
        if (video.status !== "completed") return { status: "pending", response: metadata(response) };
        const file = await send(`/${id}/content`, { headers, abortSignal });
        return {
          status: "completed",
          videos: [{ type: "binary", data: await file.bytes(), mediaType: file.headers.get("Content-Type") }],
          warnings: [],
          providerMetadata: { ltx23: { seed: video.seed, timings: video.timings } },
          response: metadata(response),
        };
      },
    }),
  };
}

async function fieldsOf({ image, frameImages, ...settings }) {
  const { prompt, resolution, aspectRatio, duration, fps, seed, generateAudio, providerOptions } = settings;
  const last = frameImages?.find(({ frameType }) => frameType === "last_frame");
  return {
    prompt,
    resolution,
    aspect_ratio: aspectRatio,
    duration,
    fps,
    seed,
    generate_audio: generateAudio,
    image: image && (await base64(image)),
    end_image: last && (await base64(last.image)),
    ...providerOptions.ltx23,
  };
}

async function base64({ type, data, url }) {
  if (typeof data === "string") return data;
  const bytes = type === "url" ? await (await fetch(url)).arrayBuffer() : data;
  return Buffer.from(bytes).toString("base64");
}

/** A full queue and a server that starts are tried again by the SDK, as Retry-After says. */
async function callError(url, requestBodyValues, response) {
  const responseBody = await response.text();
  return new APICallError({
    message: JSON.parse(responseBody).error.message,
    url,
    requestBodyValues,
    statusCode: response.status,
    responseHeaders: Object.fromEntries(response.headers),
    responseBody,
    isRetryable: [429, 503].includes(response.status),
  });
}

function metadata(response) {
  return { timestamp: new Date(), modelId, headers: Object.fromEntries(response.headers) };
}
