"""Copy frames from the device to host memory, on a GPU while the next ones are decoded."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch

# Waits for a copy and returns it.
Finish = Callable[[], np.ndarray]


def copied_to_host(chunks: Iterable[torch.Tensor], device: torch.device) -> Iterator[np.ndarray]:
    """Yield each chunk as an array of its own.

    A GPU computes behind its queue of work, so there a chunk is awaited only when the next one is in the queue.
    """
    start, ahead = (PinnedCopies(device).start, 1) if device.type == "cuda" else (_start_on_cpu, 0)
    copies: deque[Finish] = deque()
    for chunk in chunks:
        copies.append(start(chunk))
        del chunk
        while len(copies) > ahead:
            yield copies.popleft()()
    while copies:
        yield copies.popleft()()


class PinnedCopies:
    """Copies on a stream of its own through two pinned buffers, so two copies may be unfinished at a time.

    Pinned memory for each chunk would cost more: `configure_allocator` has torch give large blocks back to the system.
    """

    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._buffers = deque([_pinned(0), _pinned(0)])

    def start(self, chunk: torch.Tensor) -> Finish:
        pinned = self._next_buffer(chunk.numel())[: chunk.numel()].view(chunk.shape)
        # Lets the thread sleep while it waits: the encoder needs the cores.
        done = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
        self._stream.wait_stream(torch.cuda.current_stream(chunk.device))
        with torch.cuda.stream(self._stream):
            pinned.copy_(chunk, non_blocking=True)
            done.record(self._stream)
        chunk.record_stream(self._stream)

        def finish() -> np.ndarray:
            done.synchronize()
            frames: np.ndarray = pinned.numpy().copy()
            return frames

        return finish

    def _next_buffer(self, size_bytes: int) -> torch.Tensor:
        buffer = self._buffers.popleft()
        if buffer.numel() < size_bytes:
            buffer = _pinned(size_bytes)
        self._buffers.append(buffer)
        return buffer


def _start_on_cpu(chunk: torch.Tensor) -> Finish:
    return chunk.numpy


def _pinned(size_bytes: int) -> torch.Tensor:
    return torch.empty(size_bytes, dtype=torch.uint8, pin_memory=True)
