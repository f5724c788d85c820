import "server-only";

const PASSED_ON = ["content-type", "content-length", "content-range", "accept-ranges", "etag", "retry-after"];

/** Send a request to the LTX-2.3 server with its key, and return the answer as it comes in. */
export async function send(path, { headers, ...options } = {}) {
  const url = process.env.LTX23_SERVER ?? "http://127.0.0.1:8000";
  const authorization = `Bearer ${process.env.LTX23_API_KEY ?? "none"}`;
  const answer = await fetch(url + path, { ...options, headers: { ...headers, authorization }, cache: "no-store" });
  const kept = PASSED_ON.filter((name) => answer.headers.has(name)).map((name) => [name, answer.headers.get(name)]);
  return new Response(answer.body, { status: answer.status, headers: kept });
}
