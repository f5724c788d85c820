#!/bin/sh
# Make a clip from a prompt, or from a prompt and an image:
#
#     sh clip.sh "a red fox runs through deep snow"
#     sh clip.sh "the boat drifts off" first.png
set -eu

URL=${LTX23_SERVER:-http://127.0.0.1:8000}
KEY="Authorization: Bearer ${LTX23_API_KEY:-none}"

VIDEO=$(
    curl -sS --fail-with-body "$URL/v1/videos" -H "$KEY" \
        -F prompt="$1" -F size="${SIZE:-768x512}" -F seconds="${DURATION:-4}" ${2:+-F input_reference=@"$2"}
) || { echo "$VIDEO" >&2; exit 1; }
ID=$(echo "$VIDEO" | sed -n 's/.*"id": *"\(video_[^"]*\)".*/\1/p')

# Server-sent events until the video is finished. Or ask for $URL/v1/videos/$ID until its status is "completed".
curl -sS --fail-with-body -N "$URL/v1/videos/$ID/events?preview=off" -H "$KEY" |
    sed -n 's/.*"percent": *\([0-9.]*\).*/\1 %/p'

curl -sS --fail-with-body "$URL/v1/videos/$ID/content" -H "$KEY" -o clip.mp4
echo "wrote clip.mp4"
