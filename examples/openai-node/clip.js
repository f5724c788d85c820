// Make a clip with OpenAI's client: `npm install`, then `node clip.js PROMPT [IMAGE]`.
import { createReadStream } from "node:fs";
import { writeFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";

import OpenAI from "openai";

const client = new OpenAI({
  baseURL: `${process.env.LTX23_SERVER ?? "http://127.0.0.1:8000"}/v1`,
  apiKey: process.env.LTX23_API_KEY ?? "none",
});
const [prompt, image] = process.argv.slice(2);

let video = await client.videos.create({
  prompt,
  size: process.env.SIZE ?? "768x512",
  seconds: process.env.DURATION ?? "4",
  ...(image && { input_reference: createReadStream(image) }),
  // Every other field of POST /generate.
  seed: 7,
});
while (video.status === "queued" || video.status === "in_progress") {
  console.log(`${video.status} ${video.progress} %`);
  await setTimeout(1000);
  video = await client.videos.retrieve(video.id);
}
if (video.status === "failed") throw new Error(video.error.message);

const clip = await client.videos.downloadContent(video.id);
await writeFile("clip.mp4", clip.body);
console.log("wrote clip.mp4");
