"""Count the GPU kernels of a compiled block of the 22B transformer, without a GPU: `python -m benchmarks.fusion`.

torch's compiler writes its Triton kernels for a Hopper card that is only described to it; nothing is computed. The
block has the video tokens of a default clip in stage 2 (768x512, 121 frames). Needs Triton, in the version that torch's
build for CUDA takes: `.venv/bin/pip install triton==3.7.1`.
"""

import re
import sys
import warnings
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from pipelines.ltx.build import build_module
from pipelines.ltx.fp8 import FP8, Fp8Linear, use_fp8_linears
from pipelines.ltx.transformer.block import CROSS_ROWS, PROMPT_ROWS, STREAM_ROWS, StreamInput, TransformerBlock
from pipelines.ltx.transformer.config import TransformerConfig
from pipelines.ltx.transformer.rope import RotaryTable
from weights.architecture import transformer_kwargs
from weights.full_config import full_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch._subclasses.fake_tensor import FakeTensorMode

FRAMES, TOKENS_PER_FRAME, AUDIO_TOKENS, TEXT_TOKENS = 16, 384, 126, 1024

HOPPER = SimpleNamespace(
    name="Hopper",
    major=9,
    minor=0,
    multi_processor_count=132,
    warp_size=32,
    max_threads_per_block=1024,
    max_threads_per_multi_processor=2048,
    regs_per_multiprocessor=65536,
    shared_memory_per_block=49152,
    shared_memory_per_block_optin=232448,
    shared_memory_per_multiprocessor=233472,
    L2_cache_size=50 * 2**20,
    total_memory=80 * 2**30,
)

# What a block computes with: BF16 weights, or FP8 ones with scales from the file or from the values.
ARITHMETIC = ("bf16", "fp8 static", "fp8 dynamic")


@dataclass(frozen=True)
class Generated:
    """The kernels of one block.

    kernels: those that the compiler wrote. matmuls, attentions: calls of libraries. size_bytes: what the written
    kernels read and write. fp8_tensors: those that they write.
    """

    kernels: int
    matmuls: int
    attentions: int
    size_bytes: int
    fp8_tensors: int


class _Captured(Exception):
    """Ends the compilation once the code is there."""


def main() -> None:
    if find_spec("triton") is None:
        sys.exit("benchmarks.fusion needs Triton: .venv/bin/pip install triton==3.7.1")
    print("| block | kernels | FP8 tensors written | GB read and written by them | matmuls | attentions |")
    print("|---|---|---|---|---|---|")
    for arithmetic in ARITHMETIC:
        found = generate(arithmetic)
        moved_gb = f"{found.size_bytes / 1e9:.2f}"
        cells = arithmetic, found.kernels, found.fp8_tensors, moved_gb, found.matmuls, found.attentions
        print("|", *(f"{cell} |" for cell in cells))


def generate(arithmetic: str) -> Generated:
    """Compile a block for the card that is not here, and count."""
    from torch._inductor.graph import GraphLowering
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.fx.experimental.symbolic_shapes import ShapeEnv

    found: list[Generated] = []

    def capture(graph: Any) -> None:
        code, _ = graph.codegen()
        found.append(count(code.value, graph.scheduler.nodes))
        raise _Captured

    torch._dynamo.reset()
    fake = FakeTensorMode(shape_env=ShapeEnv(), allow_non_fake_inputs=True)
    block, inputs = fake_block(arithmetic, fake), fake_inputs(fake)
    with described_card(), fake, torch.no_grad(), patched(GraphLowering, compile_to_module=capture):
        try:
            torch.compile(block.forward, fullgraph=True, dynamic=True)(*inputs)
        except Exception:
            if not found:
                raise
    return found[0]


def count(code: str, nodes: Any) -> Generated:
    from torch._inductor.scheduler import ExternKernelSchedulerNode, NopKernelSchedulerNode

    calls = code[code.index("def call(self, args)") : code.index("runner = Runner")]
    launched = Counter(re.findall(r"\b(triton_\w+)\.run\(", calls))
    signatures = dict(re.findall(r"async_compile\.triton\('(triton_\w+)'.*?'signature': \{(.*?)\}", code, re.DOTALL))
    written = {name: len(re.findall(r"out_ptr\d+': '\*fp8e4nv'", signature)) for name, signature in signatures.items()}
    own = [node for node in nodes if not isinstance(node, ExternKernelSchedulerNode | NopKernelSchedulerNode)]
    return Generated(
        kernels=launched.total(),
        matmuls=len(re.findall(r"extern_kernels\.(?:addmm|mm|_scaled_mm)\(", calls)),
        attentions=len(re.findall(r"_scaled_dot_product_\w+\.default\(", calls)),
        size_bytes=sum(node.get_read_write_buffers_sizes() for node in own),
        fp8_tensors=sum(number * written[name] for name, number in launched.items()),
    )


def full_config_of_block() -> tuple[dict[str, Any], TransformerConfig]:
    config = full_config()
    kwargs = transformer_kwargs(config["transformer"], config["audio_vae"]) | {"num_layers": 1}
    return kwargs, TransformerConfig.of(kwargs)


def fake_block(arithmetic: str, fake: "FakeTensorMode") -> TransformerBlock:
    """Build a block whose tensors have shapes alone."""
    block = build_module("transformer", full_config_of_block()[0]).get_submodule("transformer_blocks.0")
    assert isinstance(block, TransformerBlock)
    if arithmetic != "bf16":
        names = [f"{name}.weight" for name, module in block.named_modules() if isinstance(module, nn.Linear)]
        use_fp8_linears(block, names, names if arithmetic == "fp8 static" else ())
    for owner in block.modules():
        if isinstance(owner, Fp8Linear):
            owner.input_group = 0
        for name, parameter in owner.named_parameters(recurse=False):
            dtype = FP8 if parameter.dtype == FP8 else torch.bfloat16
            with fake:
                values = torch.empty(parameter.shape, dtype=dtype, device="cuda")
            owner._parameters[name] = nn.Parameter(values, requires_grad=False)
        for name, buffer in owner.named_buffers(recurse=False):
            with fake:
                owner._buffers[name] = torch.empty(buffer.shape, device="cuda")
    return block


def fake_inputs(fake: "FakeTensorMode") -> tuple[torch.Tensor, torch.Tensor, StreamInput, StreamInput]:
    config = full_config_of_block()[1]
    video, audio, audio_heads = config.width, config.audio_width, config.audio_num_attention_heads

    def empty(*shape: int, dtype: torch.dtype = torch.bfloat16) -> torch.Tensor:
        return torch.empty(shape, dtype=dtype, device="cuda")

    def rotary(tokens: int, heads: int, width: int) -> RotaryTable:
        shape = (tokens, heads, width // heads // 2)
        return RotaryTable(empty(*shape, dtype=torch.float32), empty(*shape, dtype=torch.float32))

    def stream(frames: int, tokens: int, width: int, heads: int) -> StreamInput:
        return StreamInput(
            rows=empty(frames, STREAM_ROWS, 1, width),
            prompt_rows=empty(1, PROMPT_ROWS, 1, width),
            cross_rows=empty(frames, CROSS_ROWS, 1, width),
            context=empty(1, TEXT_TOKENS, width),
            rotary=rotary(tokens, heads, width),
            cross_rotary=rotary(tokens, audio_heads, audio),
        )

    with fake:
        return (
            empty(FRAMES, TOKENS_PER_FRAME, video),
            empty(1, AUDIO_TOKENS, audio),
            stream(FRAMES, FRAMES * TOKENS_PER_FRAME, video, config.num_attention_heads),
            stream(1, AUDIO_TOKENS, audio, audio_heads),
        )


@contextmanager
def patched(owner: Any, **values: Any) -> "Iterator[None]":
    before = {name: getattr(owner, name) for name in values}
    for name, value in values.items():
        setattr(owner, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(owner, name, value)


@contextmanager
def described_card() -> "Iterator[None]":
    """Make a torch without CUDA compile for the card: answer what it asks of the driver, skip what would run there."""
    import torch._dynamo.device_interface as interface
    import torch._inductor.fx_passes.joint_graph as joint_graph
    import torch.utils._triton
    from torch._inductor import config

    cuda = {
        "is_available": lambda: True,
        "device_count": lambda: 1,
        "current_device": lambda: 0,
        "get_device_properties": lambda device=None: HOPPER,
        "get_device_capability": lambda device=None: (HOPPER.major, HOPPER.minor),
        "get_arch_list": lambda: ["sm_90"],
        "get_rng_state": lambda device=None: torch.zeros(16, dtype=torch.uint8),
        "set_rng_state": lambda state, device=None: None,
        "_lazy_init": lambda: None,
        "_exchange_device": lambda index: 0,
        "_maybe_exchange_device": lambda index: 0,
    }
    properties = {"get_device_properties": staticmethod(lambda device=None: HOPPER)}
    capability = {"get_compute_capability": staticmethod(lambda device=None: 10 * HOPPER.major + HOPPER.minor)}
    answers = {"is_available": staticmethod(lambda: True)} | properties | capability
    with (
        warnings.catch_warnings(action="ignore"),
        patched(torch.version, cuda="13.0"),
        patched(torch.cuda, **cuda),
        patched(interface.CudaInterface.Worker, **properties),
        patched(interface.CudaInterface, **answers),
        patched(torch.utils._triton, triton_hash_with_backend=lambda: ""),
        # Looks for patterns, of which none is here, by running them.
        patched(joint_graph, lazy_init=lambda device: None),
        patched(nn.functional, scaled_dot_product_attention=attention),
        patched(torch.Tensor, __getitem__=indexed(torch.Tensor.__getitem__), copy_=copied(torch.Tensor.copy_)),
        config.patch(compile_threads=1, fx_graph_cache=False, joint_graph_constant_folding=False),
    ):
        yield


def attention(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Call the kernel that torch chooses on Hopper; the choice itself needs one."""
    output: torch.Tensor = torch.ops.aten._scaled_dot_product_cudnn_attention(query, key, value, None, False)[0]
    return output


def indexed(original: "Callable[..., torch.Tensor]") -> "Callable[..., torch.Tensor]":
    """Return an indexing by slices and numbers that does not ask for the tensor's device."""

    def getitem(tensor: torch.Tensor, index: Any) -> torch.Tensor:
        if not tensor.is_cuda:
            return original(tensor, index)
        parts = index if isinstance(index, tuple) else (index,)
        skipped = tensor.dim() - sum(part is not Ellipsis for part in parts)
        axis = 0
        for part in parts:
            if part is Ellipsis:
                axis += skipped
            elif isinstance(part, slice):
                tensor = torch.ops.aten.slice.Tensor(tensor, axis, part.start, part.stop, part.step or 1)
                axis += 1
            else:
                tensor = torch.ops.aten.select.int(tensor, axis, part)
        return tensor

    return getitem


def copied(original: "Callable[..., torch.Tensor]") -> "Callable[..., torch.Tensor]":
    """Return a `copy_` that does not ask for the tensor's device."""

    def copy(tensor: torch.Tensor, source: torch.Tensor, non_blocking: bool = False) -> torch.Tensor:
        if not tensor.is_cuda:
            return original(tensor, source, non_blocking)
        with torch._C._AutoDispatchBelowAutograd():
            return torch.ops.aten.copy_.default(tensor, source)  # type: ignore[no-any-return]

    return copy


if __name__ == "__main__":
    main()
