#!/usr/bin/env bash
# Start an image as docs/deployment.md says, have it render a clip with the tiny model, and stop it: smoke_image.sh IMAGE
set -euo pipefail
image=$1
docker run --detach --name ltx23 --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
    --env LTX23_API_KEYS=smoke --publish 127.0.0.1:8000:8000 "$image"
trap 'docker logs ltx23; docker rm --force ltx23 > /dev/null' EXIT

curl --silent --show-error --fail --retry 60 --retry-delay 5 --retry-all-errors http://127.0.0.1:8000/health
curl --silent --show-error --fail-with-body --output clip.mp4 --header 'Authorization: Bearer smoke' \
    --data '{"prompt": "a red fox", "width": 256, "height": 256, "num_frames": 9}' http://127.0.0.1:8000/generate
video=$(ffprobe -v error -count_frames -select_streams v:0 \
    -show_entries stream=codec_name,width,height,nb_read_frames -of csv=print_section=0 clip.mp4)
audio=$(ffprobe -v error -select_streams a:0 -show_entries stream=codec_name -of csv=print_section=0 clip.mp4)
echo "video: $video, audio: $audio"
test "$video" = h264,256,256,9
test "$audio" = aac

for _ in $(seq 30); do
    health=$(docker inspect --format '{{.State.Health.Status}}' ltx23)
    [ "$health" = starting ] || break
    sleep 2
done
echo "health: $health"
test "$health" = healthy

docker stop ltx23
test "$(docker inspect --format '{{.State.ExitCode}}' ltx23)" = 0
