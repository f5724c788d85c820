// Make a clip with fetch, in Node 20 or newer: `node clip.mjs PROMPT [IMAGE]`.
import { openAsBlob } from "node:fs";
import { writeFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";

const url = process.env.LTX23_SERVER ?? "http://127.0.0.1:8000";
const headers = { Authorization: `Bearer ${process.env.LTX23_API_KEY ?? "none"}` };
const [prompt, image] = process.argv.slice(2);

async function send(path, options) {
  const response = await fetch(url + path, { headers, ...options });
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  return response;
}

const body = new FormData();
body.set("prompt", prompt);
body.set("size", process.env.SIZE ?? "768x512");
body.set("seconds", process.env.DURATION ?? "4");
if (image) body.set("input_reference", await openAsBlob(image), image);

let video = await (await send("/v1/videos", { method: "POST", body })).json();
while (video.status === "queued" || video.status === "in_progress") {
  console.log(`${video.status} ${video.progress} %`);
  await setTimeout(1000);
  video = await (await send(`/v1/videos/${video.id}`)).json();
}
if (video.status === "failed") throw new Error(video.error.message);

const clip = await send(`/v1/videos/${video.id}/content`);
await writeFile("clip.mp4", clip.body);
console.log("wrote clip.mp4");
