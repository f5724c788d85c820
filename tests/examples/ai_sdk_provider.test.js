// The provider of examples/vercel-ai-sdk, in a copy of that folder.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { experimental_generateVideo as generateVideo } from "ai";

import { createLTX23 } from "./ltx23.js";

globalThis.AI_SDK_LOG_WARNINGS = false;
const ltx23 = createLTX23({ baseURL: process.env.LTX23_SERVER, apiKey: process.env.LTX23_API_KEY });
const image = await readFile("first.png");
const small = {
  model: ltx23.video(),
  prompt: "a blue night sky",
  resolution: "256x256",
  poll: { intervalMs: 50 },
  providerOptions: { ltx23: { num_frames: 9 } },
};

test("settings and the fields of providerOptions are used", async () => {
  const { video, warnings, providerMetadata } = await generateVideo({ ...small, fps: 12, seed: 7, generateAudio: false });

  assert.equal(video.mediaType, "video/mp4");
  assert.equal(providerMetadata.ltx23.seed, 7);
  assert.deepEqual(warnings, []);
});

test("adjustments are warnings", async () => {
  const { warnings } = await generateVideo({ ...small, resolution: "250x256" });

  assert.deepEqual(warnings.map(({ message }) => message.split(":")[0]), ["width"]);
});

test("a first and a last frame", async () => {
  const first = { image, frameType: "first_frame" };
  const { video, warnings } = await generateVideo({
    ...small,
    frameImages: [first, { image: `data:image/png;base64,${image.toString("base64")}`, frameType: "last_frame" }],
  });

  assert.ok(video.uint8Array.length > 0);
  assert.deepEqual(warnings, []);
});

test("several videos", async () => {
  assert.equal((await generateVideo({ ...small, n: 2 })).videos.length, 2);
});

test("an error of the server has its words", async () => {
  const wrong = generateVideo({ ...small, providerOptions: { ltx23: { video_format: "avi" } } });

  await assert.rejects(wrong, ({ statusCode, message }) => statusCode === 422 && message.includes("video_format"));
});
