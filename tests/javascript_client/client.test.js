// The JavaScript client with a real server in rehearsal mode. test_javascript_client.py starts it and runs this file.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { LTX23, LTX23Error, wireFields } from "../../clients/javascript/ltx23.js";

const { LTX23_SERVER: URL_OF_SERVER, LTX23_KEY: KEY, FIRST_IMAGE } = process.env;
const SMALL = { prompt: "a red fox", width: 256, height: 256, num_frames: 9, seed: 7, generate_audio: false };
const LONG = { prompt: "a long walk", width: 768, height: 512, num_frames: 121 };

/** @type {Promise<any> | undefined} */
let made;

/** Return a finished video, the same for every test that does not change it. */
const finishedVideo = () => (made ??= connect().client.generate(SMALL).then(({ video }) => video));

/** Return a client whose requests of one method and path ask for a fault, with the answers that it got. */
function connect({ fault = "", on = "", ...options } = {}) {
  const answers = [];
  const send = async (url, init = {}) => {
    const call = `${init.method ?? "GET"} ${url.pathname}`;
    const headers = new Headers(init.headers);
    if (fault && call.startsWith(on)) headers.set("X-LTX-Rehearse", fault);
    const answer = { call, url: String(url), status: 0 };
    answers.push(answer);
    const response = await fetch(url, { ...init, headers });
    answer.status = response.status;
    return response;
  };
  const client = new LTX23({ baseUrl: URL_OF_SERVER, apiKey: KEY, fetch: send, ...options });
  const statuses = (call) => answers.filter((answer) => answer.call.startsWith(call)).map(({ status }) => status);
  return { client, answers, statuses };
}

/** Return the part of a fault that lets only the first `times` requests of one test fail. */
const first = (times, t) => `times=${times}; key=${t.name.replaceAll(/[^a-z]+/g, "-")}`;

/** Let a wait of exactly `delayMs` pass at once. Return how often it was waited for. */
function skipWait(t, delayMs) {
  const { setTimeout } = globalThis;
  const skipped = { count: 0 };
  t.mock.method(globalThis, "setTimeout", (callback, ms, ...rest) => {
    if (ms === delayMs) skipped.count += 1;
    return setTimeout(callback, ms === delayMs ? 0 : ms, ...rest);
  });
  return skipped;
}

test("a clip from text, with its progress", async () => {
  const { client, answers } = connect();
  const created = [];
  const progress = [];

  const { video, blob } = await client.generate(SMALL, {
    onCreated: (video) => created.push(video.id),
    onProgress: (step) => progress.push(step),
  });

  assert.deepEqual(created, [video.id]);
  assert.equal(video.status, "completed");
  assert.deepEqual([video.width, video.height, video.num_frames, video.seed], [256, 256, 9, 7]);
  assert.deepEqual(video.adjustments, []);
  assert.equal(blob.type, "video/mp4");
  assert.equal(blob.size, video.size_bytes);
  assert.ok(progress.length > 0);
  const percents = progress.map(({ percent }) => percent);
  assert.deepEqual(percents, percents.toSorted((a, b) => a - b));
  assert.equal(answers.filter(({ url }) => url.includes(KEY)).length, 0);
});

test("previews while it is rendered", async () => {
  const previews = [];

  await connect().client.generate({ ...SMALL, seed: 8 }, { onPreview: (preview) => previews.push(preview) });

  assert.ok(previews.length > 0);
  assert.ok(previews.every(({ content_type, data }) => content_type === "image/webp" && data.length > 0));
});

test("an image is a file, bytes, base64 or a data URL", async () => {
  const bytes = new Uint8Array(await readFile(FIRST_IMAGE));
  const base64 = Buffer.from(bytes).toString("base64");

  for (const image of [new Blob([bytes]), bytes, bytes.buffer, base64]) {
    assert.deepEqual(await wireFields({ prompt: "a fox", image }), { prompt: "a fox", input_image_b64: base64 });
  }
  const { client } = connect();
  const video = await client.create({ ...SMALL, image: `data:image/png;base64,${base64}` });
  await client.delete(video.id);
  assert.deepEqual(video.adjustments, [], "neither unknown nor cropped");
});

test("keyframes at their frames", async () => {
  const image = await readFile(FIRST_IMAGE);

  const { video } = await connect().client.generate({
    ...SMALL,
    keyframes: [{ image, frame: 0 }, { image, frame: -1, strength: 0.5 }],
  });

  assert.equal(video.status, "completed");
  assert.deepEqual(video.adjustments, []);
});

test("what was adjusted is reported", async () => {
  const { client } = connect();
  const video = await client.create({ ...SMALL, width: 250, colour: "red" });
  await client.delete(video.id);

  assert.deepEqual(video.adjustments.map(({ field, used }) => [field, used]), [["width", 256], ["colour", null]]);
});

test("a full queue is waited for as long as it says", async (t) => {
  const wait = skipWait(t, 7000);
  const { client, statuses } = connect({ fault: `status=429; retry-after=7; ${first(2, t)}`, on: "POST /v1/videos" });

  const video = await client.create(SMALL);

  assert.deepEqual(statuses("POST"), [429, 429, 200]);
  assert.equal(wait.count, 2);
  await client.delete(video.id);
});

test("a server that starts is waited for as long as it says", async (t) => {
  const wait = skipWait(t, 9000);
  const { client, statuses } = connect({ fault: `status=503; retry-after=9; ${first(1, t)}`, on: "GET /v1/videos/" });

  const { video } = await client.generate(SMALL);

  assert.equal(video.status, "completed");
  assert.deepEqual(statuses("GET"), [503, 200, 200]);
  assert.equal(wait.count, 1);
});

test("a queue that stays full is an error that says for how long", async (t) => {
  const { client } = connect({ fault: "status=429; retry-after=7", on: "POST", retries: 1 });
  skipWait(t, 7000);

  await assert.rejects(client.create(SMALL), (error) => {
    assert.ok(error instanceof LTX23Error);
    assert.deepEqual([error.status, error.retryAfterS], [429, 7]);
    return true;
  });
});

test("a wait for a full queue can be given up", async () => {
  const { client, statuses } = connect({ fault: "status=429; retry-after=50", on: "POST" });
  const controller = new AbortController();
  const created = client.create(SMALL, { signal: controller.signal });
  const given = assert.rejects(created, { name: "AbortError" });

  while (!statuses("POST").includes(429)) await new Promise(setImmediate);
  controller.abort();

  await given;
});

test("a request whose connection is cut makes one video", async (t) => {
  const { client, statuses } = connect({ fault: `drop=halfway; ${first(1, t)}`, on: "POST /v1/videos" });

  const video = await client.create({ ...SMALL, prompt: "only once" });

  assert.deepEqual(statuses("POST"), [200, 200]);
  const { data } = await client.list({ limit: 100 });
  await client.delete(video.id);
  assert.deepEqual(data.filter(({ prompt }) => prompt === "only once").map(({ id }) => id), [video.id]);
});

test("a request that gets no answer is sent again", async (t) => {
  const { client, statuses } = connect({ fault: `drop=connection; ${first(1, t)}`, on: "POST /v1/videos" });

  const video = await client.create(SMALL);
  await client.delete(video.id);

  assert.deepEqual(statuses("POST"), [0, 200]);
});

for (const fault of ["drop=halfway", "corrupt=truncated", "corrupt=empty"]) {
  test(`a download is complete after ${fault}`, async (t) => {
    const video = await finishedVideo();
    const spoiled = connect({ fault: `${fault}; ${first(1, t)}`, on: `GET /v1/videos/${video.id}/content` });

    const blob = await spoiled.client.content(video.id);

    assert.equal(blob.size, video.size_bytes);
    assert.deepEqual(spoiled.statuses("GET"), [200, 200]);
  });
}

test("events go on after a cut connection", async (t) => {
  const { client, statuses } = connect({ fault: `drop=halfway; ${first(1, t)}`, on: "GET /v1/videos/" });
  const { id } = await client.create(SMALL);

  const video = await client.finished(id);

  assert.equal(video.status, "completed");
  assert.deepEqual(statuses("GET"), [200, 200]);
});

test("the page of a proxy is an error, not a clip", async (t) => {
  const video = await finishedVideo();
  const spoiled = connect({ fault: "corrupt=html", on: "GET", retries: 0 }).client;

  for (const call of [() => spoiled.content(video.id), () => spoiled.get(video.id), () => spoiled.finished(video.id)]) {
    await assert.rejects(call, (error) => error instanceof LTX23Error && /text\/html/.test(error.message));
  }
});

test("a wrong key is an error that is not tried again", async () => {
  const { client, statuses } = connect({ apiKey: "sk-wrong" });

  await assert.rejects(client.generate(SMALL), (error) => error instanceof LTX23Error && error.status === 401);
  assert.deepEqual(statuses("POST"), [401]);
});

test("a key may come from a function, and change", async () => {
  let key = "sk-wrong";
  const { client } = connect({ apiKey: () => key });

  await assert.rejects(client.list(), (error) => error.status === 401);
  key = KEY;
  assert.ok(Array.isArray((await client.list()).data));
});

test("an error names the field", async () => {
  const { client } = connect();
  const wrong = { ...SMALL, keyframes: [{ image: await readFile(FIRST_IMAGE), frame: 0 }, { image: "bm8=", frame: 8 }] };

  await assert.rejects(client.create({ ...SMALL, fps: "fast" }), (error) => {
    assert.deepEqual([error.status, error.fields.map(({ path }) => path)], [422, [["fps"]]]);
    assert.match(error.message, /^fps: /);
    return true;
  });
  await assert.rejects(client.create(wrong), (error) => {
    assert.deepEqual(error.fields.map(({ path }) => path), [["keyframes", 1, "image_b64"]]);
    return true;
  });
});

test("an aborted signal cancels the video on the server", async () => {
  const { client } = connect();
  const controller = new AbortController();
  let id = "";
  const clip = client.generate(LONG, {
    signal: controller.signal,
    onCreated: (video) => (id = video.id),
    onProgress: () => controller.abort(),
  });

  await assert.rejects(clip, { name: "AbortError" });
  await assert.rejects(client.get(id), (error) => error.status === 404);
});

test("a request that is given up before its answer leaves no videos", async () => {
  const controller = new AbortController();
  const { client, statuses } = connect();
  const created = client.create({ ...LONG, n: 2, prompt: "given up" }, { signal: controller.signal });
  const given = assert.rejects(created, { name: "AbortError" });

  while (statuses("POST").length === 0) await new Promise(setImmediate);
  controller.abort();

  await given;
  while (statuses("DELETE").filter((status) => status === 200).length < 2) await new Promise(setImmediate);
  const { data } = await connect().client.list({ limit: 100 });
  assert.equal(data.filter(({ prompt }) => prompt === "given up").length, 0);
});

test("a signal that was aborted before sends nothing", async () => {
  const { client, statuses } = connect();

  await assert.rejects(client.generate(SMALL, { signal: AbortSignal.abort() }), { name: "AbortError" });

  assert.deepEqual(statuses("POST"), []);
});

test("a video that somebody deletes ends the wait", async () => {
  const { client } = connect();
  const { id } = await client.create(LONG);

  const deleted = client.finished(id, { onProgress: () => void connect().client.delete(id).catch(() => {}) });

  await assert.rejects(deleted, (error) => error instanceof LTX23Error && error.code === "cancelled");
});

test("a video is listed, downloaded as pictures, remixed and deleted", async () => {
  const { client } = connect();
  const video = await client.finished((await client.create(SMALL)).id);

  const listed = (await client.list({ limit: 100 })).data.map(({ id }) => id);
  const thumbnail = await client.content(video.id, { variant: "thumbnail" });
  const spritesheet = await client.content(video.id, { variant: "spritesheet" });
  const remix = await client.finished((await client.remix(video.id, { prompt: "a blue fox" })).id);
  await client.delete(video.id);

  assert.ok(listed.includes(video.id));
  assert.deepEqual([thumbnail.type, spritesheet.type], ["image/webp", "image/jpeg"]);
  assert.deepEqual([remix.remixed_from_video_id, remix.prompt], [video.id, "a blue fox"]);
  await assert.rejects(client.get(video.id), (error) => error.status === 404);
});

test("several videos of one request", async () => {
  const { client } = connect();

  const { batch } = await client.create({ ...SMALL, n: 2 });
  const videos = await Promise.all(batch.map((id) => client.get(id)));
  await Promise.all(batch.map((id) => client.delete(id)));

  assert.deepEqual(videos.map(({ seed }) => seed), [7, 8]);
});

test("the server and its model", async () => {
  const { client } = connect();

  assert.equal((await client.health()).status, "ok");
  assert.equal((await client.model()).id, "LTX-23-Video");
  assert.equal((await client.enhance({ prompt: "a red fox" }).catch((error) => error)).name, "LTX23Error");
});

test("a server that cannot be reached is named", async () => {
  const nowhere = new LTX23({ baseUrl: "http://127.0.0.1:1", retries: 0 });

  await assert.rejects(nowhere.health(), (error) => {
    assert.ok(error instanceof LTX23Error);
    assert.deepEqual([error.status, error.message.includes("127.0.0.1:1")], [0, true]);
    return true;
  });
});

test("a client needs the address of a server", () => {
  assert.throws(() => new LTX23(), /baseUrl/);
});
