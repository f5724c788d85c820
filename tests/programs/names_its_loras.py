"""Render every job at once: its clip is a list of its LoRAs, each with its name and its strength."""

import json

from protocol import Pipe

from server.worker.messages import ModelInfo, Ready
from weights.tiny_config import WIDTH

# All that `swap_lora` changes.
LINEARS = {"transformer_blocks.0.attn2.to_out.0": (WIDTH, WIDTH)}

pipe = Pipe()
pipe.send(Ready(ModelInfo(checkpoint="none", is_tiny=True, device="cpu", dtype="none", linears=LINEARS)))
for job in pipe.jobs():
    pipe.begin(job)
    pipe.done(job, job.path.write_text(json.dumps([[lora.name, lora.strength] for lora in job.spec.loras])))
