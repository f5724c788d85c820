"""Measure the alternatives of single kernels on the machine at hand, apart from a clip."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from pipelines.bench.step import Step
from pipelines.bench.timing import seconds
from pipelines.geometry import latent_grid
from pipelines.ltx.components import Components
from pipelines.ltx.decode import stream_decoder
from pipelines.ltx.fp8 import Fp8Linear
from pipelines.ltx.frames import convert_for
from pipelines.spec import GenerationSpec

RUNS = 5

ATTENTION = {
    "flash": SDPBackend.FLASH_ATTENTION,
    "cuDNN": SDPBackend.CUDNN_ATTENTION,
    "memory-efficient": SDPBackend.EFFICIENT_ATTENTION,
}
FORMATS = {"contiguous": torch.contiguous_format, "channels_last_3d": torch.channels_last_3d}

Call = Callable[[], torch.Tensor]


@dataclass(frozen=True)
class Choice:
    """Milliseconds of an alternative, and the relative error of its result against the first one's of its kind."""

    name: str
    ms: float
    error: float


def measure_choices(components: Components, spec: GenerationSpec, chunks_mb: Sequence[float]) -> Iterator[Choice]:
    """Yield and print every alternative that runs here: of a denoising step, and of decoding in such chunks."""
    step = Step.of(components, spec)
    kinds = [step_choices(step), decode_choices(components, spec, chunks_mb)]
    for calls in kinds:
        exact = None
        for name, call in calls.items():
            try:
                with torch.inference_mode():
                    result = call().float()
                    ms = 1e3 * seconds(call, components.device, RUNS)
            except RuntimeError as exc:
                print(f"  {name}: {str(exc).splitlines()[0]}")
                continue
            exact = result if exact is None else exact
            choice = Choice(name, ms, float((result - exact).norm() / exact.norm()))
            print(f"  {name:<40} {choice.ms:9.1f} ms, differs by {choice.error:.1e}")
            yield choice


def step_choices(step: Step) -> dict[str, Call]:
    def with_backend(backend: SDPBackend) -> Call:
        def call() -> torch.Tensor:
            with sdpa_kernel(backend):
                return step.velocity()[0]

        return call

    calls = {"step": lambda: step.velocity()[0]}
    calls |= {f"step, {name} attention": with_backend(backend) for name, backend in ATTENTION.items()}
    layers = [module for module in step.transformer.modules() if isinstance(module, Fp8Linear)]

    def with_fast_accumulation() -> torch.Tensor:
        for layer in layers:
            layer.fast_accum = True
        try:
            return step.velocity()[0]
        finally:
            for layer in layers:
                layer.fast_accum = False

    return calls | ({"step, fast accumulation in FP8": with_fast_accumulation} if layers else {})


def decode_choices(components: Components, spec: GenerationSpec, chunks_mb: Sequence[float]) -> dict[str, Call]:
    vae, grid, device = components.video_vae, latent_grid(spec), components.device
    shape = (1, components.transformer.config.out_channels, grid.frames, grid.height, grid.width)
    latent = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(device, components.dtype)
    convert = convert_for(device)

    def decoding(chunk_mb: float, memory_format: torch.memory_format) -> Call:
        def call() -> torch.Tensor:
            # The weights keep the format, too.
            decoder = vae.decoder.to(memory_format=memory_format)
            chunks = stream_decoder(decoder, latent.contiguous(memory_format=memory_format), round(chunk_mb * 2**20))
            return torch.cat([convert(chunk) for chunk in chunks])

        return call

    return {
        f"decode, chunks of {chunk_mb:g} MB, {name}": decoding(chunk_mb, memory_format)
        for chunk_mb in chunks_mb
        for name, memory_format in FORMATS.items()
    }
