"""Make a clip with OpenAI's client: `pip install openai`, then `python clip.py PROMPT [IMAGE]`."""

import os
import sys
import time
from pathlib import Path

from openai import OpenAI

client = OpenAI(
    base_url=os.environ.get("LTX23_SERVER", "http://127.0.0.1:8000") + "/v1",
    api_key=os.environ.get("LTX23_API_KEY", "none"),
)
prompt, *images = sys.argv[1:]
first_frame = {"input_reference": Path(images[0])} if images else {}

video = client.videos.create(
    prompt=prompt,
    size=os.environ.get("SIZE", "768x512"),
    seconds=os.environ.get("DURATION", "4"),
    **first_frame,
    # Every other field of POST /generate.
    extra_body={"seed": 7},
)
while video.status in ("queued", "in_progress"):
    print(f"{video.status} {video.progress} %")
    time.sleep(1)
    video = client.videos.retrieve(video.id)
if video.status == "failed":
    sys.exit(video.error.message)

client.videos.download_content(video.id).write_to_file("clip.mp4")
print("wrote clip.mp4")
