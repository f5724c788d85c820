// A video provider for Vercel's AI SDK 7: every setting of `generateVideo`, and all other fields of the server in
// `providerOptions.ltx23`.
import { APICallError } from "ai";

/** @param {{ baseURL?: string, apiKey?: string, onProgress?: (video: object) => void }} options */
export function createLTX23({ baseURL = "http://127.0.0.1:8000", apiKey, onProgress } = {}) {
  const modelId = "LTX-23-Video";

  async function send(path, { headers, body, signal }) {
    const url = `${baseURL}/v1/videos${path}`;
    const response = await fetch(url, {
      method: body ? "POST" : "GET",
      headers: { ...headers, ...(apiKey && { Authorization: `Bearer ${apiKey}` }), "Content-Type": "application/json" },
      body: body && JSON.stringify(body),
      signal,
    });
    if (response.ok) return response;
    const text = await response.text();
    const responseHeaders = Object.fromEntries(response.headers);
    const isRetryable = [429, 503].includes(response.status);
    throw new APICallError({
      message: JSON.parse(text).error.message,
      url,
      requestBodyValues: body,
      statusCode: response.status,
      responseHeaders,
      responseBody: text,
      isRetryable,
    });
  }

  return {
    video: () => ({
      specificationVersion: "v4",
      provider: "ltx23",
      modelId,
      maxVideosPerCall: 1,

      async doStart({ prompt, image, frameImages, resolution, aspectRatio, duration, fps, seed, generateAudio, ...rest }) {
        const last = frameImages?.find(({ frameType }) => frameType === "last_frame")?.image;
        const pictures =
          image && last
            ? { keyframes: [{ image_b64: await base64(image), frame_idx: 0 }, { image_b64: await base64(last), frame_idx: -1 }] }
            : { input_image_b64: image && (await base64(image)), end_image: last && (await base64(last)) };
        const fields = { prompt, resolution, aspect_ratio: aspectRatio, duration, fps, seed, generate_audio: generateAudio };
        const body = { ...fields, ...pictures, ...rest.providerOptions.ltx23 };
        const response = await send("", { headers: rest.headers, body, signal: rest.abortSignal });
        const video = await response.json();
        const warnings = video.adjustments.map(({ field, reason }) => ({ type: "other", message: `${field}: ${reason}` }));
        return { operation: video.id, warnings, response: metadata(response) };
      },

      async doStatus({ operation, headers, abortSignal: signal }) {
        const response = await send(`/${operation}`, { headers, signal });
        const video = await response.json();
        onProgress?.(video);
        if (video.status === "failed") return { status: "error", error: video.error.message, response: metadata(response) };
        if (video.status !== "completed") return { status: "pending", response: metadata(response) };
        const file = await send(`/${operation}/content`, { headers, signal });
        const clip = { type: "binary", data: await file.bytes(), mediaType: file.headers.get("Content-Type") };
        const providerMetadata = { ltx23: { seed: video.seed, timings: video.timings } };
        return { status: "completed", videos: [clip], warnings: [], providerMetadata, response: metadata(response) };
      },
    }),
  };

  function metadata(response) {
    return { timestamp: new Date(), modelId, headers: Object.fromEntries(response.headers) };
  }
}

async function base64(file) {
  if (typeof file.data === "string") return file.data;
  const bytes = file.type === "url" ? await (await fetch(file.url)).arrayBuffer() : file.data;
  return Buffer.from(bytes).toString("base64");
}
