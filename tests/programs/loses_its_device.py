"""The real worker, on a GPU. In a job with the prompt "lose", a kernel reads out of bounds, which loses the device."""

import sys
from typing import Any

import torch

from pipelines.spec import GenerationSpec
from server.worker import main as worker
from server.worker.model import Model

start = Model.start


def lose_or_start(model: Model, spec: GenerationSpec, *args: Any) -> Any:
    if spec.prompt == "lose":
        torch.zeros(1, device="cuda")[torch.tensor([7], device="cuda")].sum().item()
    return start(model, spec, *args)


Model.start = lose_or_start  # type: ignore[method-assign, assignment]
sys.exit(worker.main())
