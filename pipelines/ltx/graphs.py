"""Replay the transformer's forward pass from CUDA graphs: one launch in place of thousands.

A graph computes on tensors that stay where they are, so there is one for each set of shapes, and a step copies its
inputs there first. The prompt's keys and values are computed within the graph. Keeping them outside would need buffers
of their size beside each sigma's own copy, and would save 3 of 11 projections for a new prompt.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Any

import torch

from pipelines.ltx.transformer.block import PromptKeysValues
from pipelines.ltx.transformer.model import Forward, Modality, RotaryTables

log = logging.getLogger("ltx23.graphs")

Tensors = tuple[torch.Tensor, ...]
Compute = Callable[[], Tensors]

# Runs a computation; returns what repeats it, and its outputs, which every repetition overwrites.
Record = Callable[[Compute], tuple[Callable[[], None], Tensors]]

# What the transformer computes beside its inputs, and their shapes and types; None for an input that is absent.
Key = tuple[Hashable, tuple[tuple[torch.Size, torch.dtype] | None, ...]]

Inputs = tuple[Modality, Modality, RotaryTables]

# Two for each size of clip; guided clips have their own.
MAX_GRAPHS = 16


def leaves(value: Any) -> Iterator[torch.Tensor | None]:
    """Yield the tensors of nested tuples, and None for what is absent."""
    if isinstance(value, tuple):
        for part in value:
            yield from leaves(part)
    else:
        yield value


def cloned(value: Any) -> Any:
    """Return nested named tuples with copies of their tensors."""
    if isinstance(value, tuple):
        return type(value)(*map(cloned, value))
    return None if value is None else value.clone()


def record_cuda_graph(compute: Compute) -> tuple[Callable[[], None], Tensors]:
    """Capture a computation that has run before, so that cuBLAS and cuDNN have their workspaces."""
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        compute()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    # The heartbeat's thread asks the driver meanwhile, which any other mode takes for a mistake.
    with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
        outputs = compute()
    return graph.replay, outputs


class StepGraphs:
    """Keeps the graphs of the sizes that were used last, within a limit of memory.

    A size whose graph would not fit, or cannot be recorded, runs without one. variant: identifies the tensors that
    LoRAs have in the transformer; None without LoRAs.
    """

    def __init__(
        self,
        forward: Forward,
        activation_bytes: Callable[[int, int], int],
        record: Record = record_cuda_graph,
        max_graphs: int = MAX_GRAPHS,
    ) -> None:
        """activation_bytes: of a step with so many tokens of video and of audio."""
        self._forward, self._activation_bytes, self._record = forward, activation_bytes, record
        self._max_graphs = max_graphs
        self._graphs: OrderedDict[Key, _StepGraph] = OrderedDict()
        self._failed: set[Key] = set()
        self.variant: Hashable = None
        self._limit_bytes = 0
        # A number, because another thread asks for it.
        self.kept_bytes = 0

    def __len__(self) -> int:
        return len(self._graphs)

    def limit(self, limit_bytes: int) -> None:
        """Keep no more than this from now on. What could not be recorded is tried again."""
        self._failed.clear()
        self._limit_bytes = limit_bytes
        self._drop_to(limit_bytes, self._max_graphs)

    def drop_other_variants(self, *variants: Hashable) -> None:
        """Drop the graphs that compute on tensors which are about to be dropped."""
        for key in [key for key in self._graphs if key[0] not in variants]:
            self.kept_bytes -= self._graphs.pop(key).size_bytes

    def __call__(
        self, video: Modality, audio: Modality, rotary: RotaryTables, prompt: list[PromptKeysValues] | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what the transformer does. `prompt` is neither used nor filled."""
        inputs = (video, audio, rotary)
        shapes = tuple(tensor if tensor is None else (tensor.shape, tensor.dtype) for tensor in leaves(inputs))
        key = (self.variant, shapes)
        graph = self._graphs.get(key) or self._recorded(key, inputs)
        if graph is None:
            return self._forward(video, audio, rotary, None)
        self._graphs.move_to_end(key)
        return graph.replay(inputs)

    def _recorded(self, key: Key, inputs: Inputs) -> "_StepGraph | None":
        """Record a graph for inputs of these shapes, unless it does not fit."""
        video, audio, _ = inputs
        tokens, audio_tokens = (stream.latent.shape[0] * stream.latent.shape[1] for stream in (video, audio))
        input_bytes = sum(tensor.nbytes for tensor in leaves(inputs) if tensor is not None)
        size_bytes = self._activation_bytes(tokens, audio_tokens) + input_bytes
        if key in self._failed or size_bytes > self._limit_bytes:
            return None
        self._drop_to(self._limit_bytes - size_bytes, self._max_graphs - 1)
        try:
            graph = _StepGraph(self._forward, inputs, size_bytes, self._record)
        except RuntimeError as exc:
            # If the device is lost, the pass without a graph fails, too.
            self._failed.add(key)
            log.warning("no CUDA graph for %d and %d tokens: %s", tokens, audio_tokens, exc)
            return None
        self._graphs[key] = graph
        self.kept_bytes += size_bytes
        return graph

    def _drop_to(self, limit_bytes: int, max_graphs: int) -> None:
        """Drop the graphs that were used longest ago."""
        while self._graphs and (self.kept_bytes > limit_bytes or len(self._graphs) > max_graphs):
            _, dropped = self._graphs.popitem(last=False)
            self.kept_bytes -= dropped.size_bytes


class _StepGraph:
    """One recorded forward pass and the tensors that it computes on."""

    def __init__(self, forward: Forward, inputs: Inputs, size_bytes: int, record: Record) -> None:
        self.size_bytes = size_bytes
        video, audio, rotary = inputs
        self._inputs: Inputs = (cloned(video), cloned(audio), cloned(rotary))
        self._repeat, self._outputs = record(lambda: forward(*self._inputs, None))

    def replay(self, inputs: Inputs) -> tuple[torch.Tensor, torch.Tensor]:
        for fixed, tensor in zip(leaves(self._inputs), leaves(inputs), strict=True):
            if fixed is not None and tensor is not None:
                fixed.copy_(tensor)
        self._repeat()
        video, audio = self._outputs
        return video.clone(), audio.clone()
