"""No tensor of the largest clips has more values than an index of 32 bits reaches, counted on `meta`."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from pipelines.ltx.fp8 import Fp8Linear, use_fp8_linears
from pipelines.ltx.transformer.feed_forward import MAX_VALUES, FeedForward
from pipelines.memory import ClipSize
from tests.pipeline.count_memory import FusedAttention
from tests.pipeline.test_memory import CONFIG, forward, module
from weights.architecture import transformer_kwargs

LARGEST = ClipSize(3840, 2176, 121, is_conditioned=True)


class Largest(TorchDispatchMode):
    """Records the largest number of values of a tensor."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        counts = [tensor.numel() for tensor in tree_iter(result) if isinstance(tensor, torch.Tensor)]
        self.count = max(self.count, *counts, 0)
        return result


@pytest.fixture(scope="module", params=["bfloat16", "fp8"])
def transformer(request: pytest.FixtureRequest) -> Any:
    config = CONFIG["transformer"] | {"num_layers": 1}
    built = module("transformer", transformer_kwargs(config, CONFIG["audio_vae"]))
    if request.param == "fp8":
        linears = [name for name, found in built.named_modules() if isinstance(found, nn.Linear)]
        use_fp8_linears(built, [f"{name}.weight" for name in linears if "transformer_blocks" in name], ())
        for layer in (found for found in built.modules() if isinstance(found, Fp8Linear)):
            assert layer.bias is not None
            layer.bias.data = layer.bias.data.to(torch.bfloat16)
    return built


@pytest.mark.parametrize(
    "clip", [LARGEST, replace(LARGEST, later_keyframes=1), replace(LARGEST, num_frames=249)], ids=str
)
def test_the_largest_clips(clip: ClipSize, transformer: Any) -> None:
    with torch.no_grad(), FusedAttention(), Largest() as largest:
        forward(transformer, clip)()

    assert MAX_VALUES / 3 < largest.count <= MAX_VALUES


@torch.no_grad()
def test_parts_give_the_same_values() -> None:
    whole, in_parts = FeedForward(16), FeedForward(16, max_values=2 * 3 * 64)
    in_parts.load_state_dict(whole.state_dict())
    x = torch.randn(5, 3, 16, generator=torch.Generator().manual_seed(1))

    frames: list[int] = []
    in_parts.net.register_forward_pre_hook(lambda net, args: frames.append(len(args[0])))

    assert torch.allclose(in_parts(x), whole(x), rtol=1e-6, atol=1e-6)
    assert frames == [2, 2, 1]
