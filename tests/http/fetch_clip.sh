#!/bin/sh
# Fetch a clip as people do in scripts: fetch_clip.sh URL FILE [OPTIONS OF CURL]
set -eu
url=$1 file=$2
shift 2
curl --silent --show-error --fail --retry 3 --max-time 60 "$@" --output "$file" "$url"
