"""The real worker, on a GPU. In a job with the prompt "lose", a kernel reads out of bounds, which loses the device."""

import sys
from pathlib import Path

import torch

from pipelines.ltx.trace import Trace
from pipelines.spec import GenerationSpec
from server.worker import main as worker
from server.worker.model import Model

render = Model.render


def lose_or_render(model: Model, spec: GenerationSpec, path: Path, trace: Trace) -> dict[str, float]:
    if spec.prompt == "lose":
        torch.zeros(1, device="cuda")[torch.tensor([7], device="cuda")].sum().item()
    return render(model, spec, path, trace)


Model.render = lose_or_render  # type: ignore[method-assign, assignment]
sys.exit(worker.main())
