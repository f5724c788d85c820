// Status and progress of a clip.
import { send } from "../../../../ltx23.js";

export async function GET(request, { params }) {
  const { id } = await params;
  return send(`/v1/videos/${encodeURIComponent(id)}`, { signal: request.signal });
}
