"""Start a preview of a latent on its device, without making the render wait for it."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch

MAX_FRAMES = 16

# Waits for the frames, (n, h, w, 3) uint8. For any thread.
Finish = Callable[[], np.ndarray]


class Viewer(Protocol):
    """Shows a latent (1, C, F, h, w) as (F, H, W, 3) uint8, on its device."""

    def frames(self, latent: torch.Tensor) -> torch.Tensor: ...


@torch.inference_mode()
def start_preview(viewer: Viewer, latent: torch.Tensor) -> Finish:
    """Show at most 16 latent frames, evenly spaced from the first to the last."""
    frames = viewer.frames(latent)
    shown = frames[_evenly_spaced(len(frames), frames.device)] if len(frames) > MAX_FRAMES else frames
    if shown.device.type != "cuda":
        return shown.numpy
    pinned = torch.empty(shown.shape, dtype=shown.dtype, pin_memory=True)
    pinned.copy_(shown, non_blocking=True)
    # Lets the thread that waits sleep.
    done = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
    done.record(torch.cuda.current_stream(shown.device))

    def finish() -> np.ndarray:
        done.synchronize()
        copied: np.ndarray = pinned.numpy()
        return copied

    return finish


def _evenly_spaced(count: int, device: torch.device) -> torch.Tensor:
    return torch.linspace(0, count - 1, MAX_FRAMES, device=device).round().long()
