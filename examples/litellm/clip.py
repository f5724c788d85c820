"""Make a clip with LiteLLM: `pip install -r requirements.txt`, then `python clip.py PROMPT [IMAGE]`."""

import os
import sys
import time
from pathlib import Path

from litellm import video_content, video_generation, video_status

server = {
    "api_base": os.environ.get("LTX23_SERVER", "http://127.0.0.1:8000") + "/v1",
    "api_key": os.environ.get("LTX23_API_KEY", "none"),
}
prompt, *images = sys.argv[1:]
first_frame = {"input_reference": Path(images[0]).read_bytes()} if images else {}

video = video_generation(
    # LiteLLM sends the fields of a vLLM-Omni server, which this server reads too, as a form.
    model="hosted_vllm/LTX-23-Video",
    prompt=prompt,
    size=os.environ.get("SIZE", "768x512"),
    seconds=os.environ.get("DURATION", "4"),
    seed=7,
    **first_frame,
    **server,
)
while video.status in ("queued", "in_progress"):
    print(f"{video.status} {video.progress} %")
    time.sleep(1)
    video = video_status(video.id, **server)
if video.status == "failed":
    sys.exit(video.error["message"])

Path("clip.mp4").write_bytes(video_content(video.id, **server))
print("wrote clip.mp4")
