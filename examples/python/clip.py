"""Make a clip with ltx23-client: `pip install ./clients/python`, then `python clip.py PROMPT [IMAGE]`."""

import os
import sys

from ltx23_client import LTX23, Progress


def show(event: object) -> None:
    match event:
        case Progress(position=int(place)) if place > 1:
            print(f"number {place} in the queue")
        case Progress(stage=stage, percent=percent):
            print(f"{stage or 'waits'}: {percent} %")


prompt, *images = sys.argv[1:]

# The server and the key are those in LTX23_SERVER and LTX23_API_KEY.
with LTX23() as ltx:
    clip = ltx.generate(
        prompt,
        image=images[0] if images else None,
        resolution=os.environ.get("SIZE", "768x512"),
        duration=float(os.environ.get("DURATION", "4")),
        on_event=show,
    )
clip.save("clip.mp4")
print("wrote clip.mp4", clip.seed, *clip.adjustments)
