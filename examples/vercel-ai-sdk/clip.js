// Make a clip with Vercel's AI SDK: `npm install`, then `node clip.js PROMPT [IMAGE]`.
import { readFile, writeFile } from "node:fs/promises";

import { experimental_generateVideo as generateVideo } from "ai";

import { createLTX23 } from "./ltx23.js";

const ltx23 = createLTX23({
  baseURL: process.env.LTX23_SERVER,
  apiKey: process.env.LTX23_API_KEY,
  onProgress: ({ status, progress }) => console.log(`${status} ${progress} %`),
});
const [text, image] = process.argv.slice(2);

const { video, warnings, providerMetadata } = await generateVideo({
  model: ltx23.video(),
  prompt: image ? { text, image: await readFile(image) } : text,
  resolution: process.env.SIZE ?? "768x512",
  duration: Number(process.env.DURATION ?? 4),
  poll: { intervalMs: 1000 },
  // Every other field of POST /generate.
  providerOptions: { ltx23: { video_format: "mp4" } },
});

await writeFile("clip.mp4", video.uint8Array);
console.log("wrote clip.mp4", providerMetadata.ltx23, warnings);
