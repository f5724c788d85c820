"""Modulate the transformer by sigma where diffusers' forward differs from the reference or needs too much memory.

Hooks apply two rules to the stock forward while it runs.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._pytree import tree_iter, tree_map
from torch.utils.hooks import RemovableHandle

if TYPE_CHECKING:
    from diffusers import LTX2VideoTransformer3DModel


@contextmanager
def modulated(
    transformer: "LTX2VideoTransformer3DModel", sigma_timestep: torch.Tensor, levels: torch.Tensor | None
) -> Iterator[None]:
    """Apply both rules.

    sigma_timestep: (1,), the plain sigma * 1000. levels: (T,), the index of each token's video timestep; None if all
    tokens share one.
    """
    with ExitStack() as stack:
        stack.enter_context(_cross_modality_gates(transformer, sigma_timestep))
        if levels is not None:
            stack.enter_context(_rows_by_level(transformer, levels))
        yield


@contextmanager
def _cross_modality_gates(transformer: "LTX2VideoTransformer3DModel", timestep: torch.Tensor) -> Iterator[None]:
    """Take scale and shift from a token's own timestep, gates from the other modality's sigma, in cross-attention.

    Lightricks' implementation does so between audio and video since May 2026. diffusers offers two other rules
    (`use_cross_timestep`): all four from the own timestep, or all four from the other modality. They differ where
    tokens have timesteps of their own.
    """
    config = transformer.config
    gate_timestep = timestep * (config.cross_attn_timestep_scale_multiplier / config.timestep_scale_multiplier)

    def feed_sigma(module: torch.nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return (gate_timestep, *args[1:])

    gates = (transformer.av_cross_attn_video_a2v_gate, transformer.av_cross_attn_audio_v2a_gate)
    with _removed_at_the_end([gate.register_forward_pre_hook(feed_sigma) for gate in gates]):
        yield


@contextmanager
def _rows_by_level(transformer: "LTX2VideoTransformer3DModel", levels: torch.Tensor) -> Iterator[None]:
    """Compute one row of modulation for each distinct timestep instead of each token.

    A clip has a handful of timesteps and up to 130,000 tokens: at 1920x1088 and 241 frames, 9 values per hidden value,
    twice, are 9 GB.
    """

    def by_level(module: torch.nn.Module, args: tuple[Any, ...], output: tuple[torch.Tensor, ...]) -> Any:
        return tuple(LevelRows.of(rows, levels) for rows in output)

    modules = (transformer.time_embed, transformer.av_cross_attn_video_scale_shift)
    with _removed_at_the_end([module.register_forward_hook(by_level) for module in modules]):
        yield


@contextmanager
def _removed_at_the_end(handles: list[RemovableHandle]) -> Iterator[None]:
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class LevelRows(torch.Tensor):
    """Rows (1, U, ...) that stand for tokens (1, T, ...), one row per level.

    Operations among rows, or with values that are the same for all tokens, stay rows; together with a tensor of tokens
    they become tokens.
    """

    levels: torch.Tensor

    @classmethod
    def of(cls, rows: torch.Tensor, levels: torch.Tensor) -> "LevelRows":
        found = rows.as_subclass(cls)
        found.levels = levels
        return found

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        tensors = [leaf for leaf in tree_iter((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        levels = next(leaf.levels for leaf in tensors if isinstance(leaf, LevelRows))
        meets_tokens = any(_has_tokens(leaf, len(levels)) for leaf in tensors)

        def plain(leaf: Any) -> Any:
            if not isinstance(leaf, LevelRows):
                return leaf
            rows = leaf.as_subclass(torch.Tensor)
            return rows[:, levels] if meets_tokens else rows

        with torch._C.DisableTorchFunctionSubclass():
            result = func(*tree_map(plain, args), **tree_map(plain, kwargs or {}))
        return result if meets_tokens else tree_map(lambda leaf: _as_rows(leaf, levels), result)


def _has_tokens(tensor: torch.Tensor, count: int) -> bool:
    return not isinstance(tensor, LevelRows) and tensor.ndim > 1 and tensor.shape[1] == count


def _as_rows(leaf: Any, levels: torch.Tensor) -> Any:
    return LevelRows.of(leaf, levels) if isinstance(leaf, torch.Tensor) else leaf
