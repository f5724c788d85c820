// Streams the clip through. A player that seeks asks for a Range.
import { send } from "../../../../../ltx23.js";

export async function GET(request, { params }) {
  const { id } = await params;
  const range = request.headers.get("range");
  const headers = range ? { range } : {};
  return send(`/v1/videos/${encodeURIComponent(id)}/content`, { headers, signal: request.signal });
}
