// Creates a clip. The server's address and key stay here: LTX23_SERVER and LTX23_API_KEY in `.env.local`.
import { send } from "../../../ltx23.js";

export async function POST(request) {
  const sent = await request.formData();
  const body = new FormData();
  // Only what a visitor may choose is passed on.
  for (const name of ["prompt", "input_reference", "seconds", "size"]) {
    if (sent.get(name)) body.set(name, sent.get(name));
  }
  return send("/v1/videos", { method: "POST", body, signal: request.signal });
}
