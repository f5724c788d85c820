"""Tests that need a GPU; skipped without one."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import pytest
import torch

from pipelines.errors import OutputError
from pipelines.ltx.components import Components, load_components
from pipelines.ltx.decode import decode_video, free_bytes
from pipelines.ltx.fp8 import Fp8Linear, Fp8Mode, dequantized, has_fp8_arithmetic, resolve_fp8_mode
from pipelines.ltx.frames import to_yuv420p
from pipelines.ltx.host_copies import copied_to_host
from pipelines.ltx.models import WeightFiles
from pipelines.ltx.pipeline import generate
from pipelines.ltx.trace import Trace
from pipelines.media.codecs import X264
from pipelines.memory import KEPT_SHARE, RESERVED_BYTES, ClipSize, MemoryLevel, MemoryPlan
from pipelines.render import render
from pipelines.spec import GenerationSpec
from server.process.torch_environment import known_options
from server.worker.device import limit_memory, resolve_device, unusable_card
from server.worker.encoder import EncoderError, resolve_h264
from weights.load import quantize
from weights.tiny import TinyFiles

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

CUDA, CPU = torch.device("cuda"), torch.device("cpu")
SPEC = GenerationSpec("a fox", 1, 256, 256, 25, Fraction(24))
Load = Callable[..., Components]


@pytest.fixture
def load(tiny: TinyFiles) -> Load:
    files = WeightFiles(tiny.checkpoint, tiny.text_encoder, tiny.upsampler)
    return lambda device=CUDA, dtype=torch.float32, **options: load_components(files, device, dtype, **options)


def final_latent(components: Components) -> torch.Tensor:
    class Recorder(Trace):
        def tensors(self, **tensors: torch.Tensor) -> None:
            kept.update(tensors)

    kept: dict[str, torch.Tensor] = {}
    generate(components, SPEC, Recorder())
    return kept["stage_2_video"]


def test_all_weights_are_on_the_gpu_and_a_clip_is_rendered(load: Load, tmp_path: Path) -> None:
    components = load(dtype=torch.bfloat16)

    assert {parameter.device.type for module in components.modules() for parameter in module.parameters()} == {"cuda"}
    info, _ = render(components, SPEC, tmp_path / "clip.mp4", Trace())
    assert info.num_frames == SPEC.num_frames


@pytest.mark.parametrize("kept", [0, 2, 100])
def test_streaming_from_pinned_memory_gives_the_same_result(kept: int, load: Load) -> None:
    resident, streamed = load(), load(memory=MemoryLevel.LOW)
    # With room for everything, everything is kept.
    plan = replace(streamed.plan, capacity_bytes=capacity(streamed.plan, kept))
    streamed = replace(streamed, plan=plan)

    for _ in range(3):
        assert torch.equal(final_latent(streamed), final_latent(resident))
    for module in (streamed.transformer, streamed.encode_prompt.modules[0]):
        places = {parameter.device.type for parameter in module.parameters()}
        assert places == ({"cpu"} if kept == 0 else {"cuda"} if kept == 100 else {"cpu", "cuda"})
        in_host_memory = [parameter for parameter in module.parameters() if parameter.device.type == "cpu"]
        assert all(parameter.is_pinned() for parameter in in_host_memory)


def capacity(plan: MemoryPlan, kept: int) -> int:
    """Return the memory in which that many parts of each streamed model are kept beside the clip."""
    parts = {name: min(kept, len(plan.components[name].part_bytes)) for name in plan.streamed}
    return round((plan.peak_bytes(ClipSize.of(SPEC), parts) + RESERVED_BYTES) / KEPT_SHARE) + 1


def test_float32_is_not_rounded_to_tf32(load: Load) -> None:
    load()
    generator = torch.Generator().manual_seed(1)
    x, weight = torch.randn(1, 64, 256, generator=generator), torch.randn(64, 64, 7, generator=generator)

    exact = torch.nn.functional.conv1d(x.double(), weight.double())
    error = (torch.nn.functional.conv1d(x.to(CUDA), weight.to(CUDA)).cpu() - exact).norm() / exact.norm()

    assert error < 1e-6  # TF32: 3e-4


def test_no_more_memory_is_allocated_than_allowed() -> None:
    limit_memory(CUDA, 10**9)
    try:
        with pytest.raises(torch.OutOfMemoryError):
            torch.empty(1_100_000_000, dtype=torch.uint8, device=CUDA)
        free = free_bytes(CUDA)
        assert free is not None
        assert free <= 10**9
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


@pytest.mark.skipif("pinned_max_cached_size_mb" not in known_options(torch.__version__), reason="torch rounds up")
def test_pinned_memory_is_not_rounded_up() -> None:
    program = (
        "from server.process.torch_environment import configure_allocator\n"
        "configure_allocator()\n"
        "import torch\n"
        "kept = torch.empty(5 * 2**20, dtype=torch.uint8, pin_memory=True)\n"
        "print(torch.cuda.host_memory_stats()['allocated_bytes.current'])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert int(done.stdout) == 5 * 2**20


def test_auto_takes_the_gpu() -> None:
    assert resolve_device("auto").type == "cuda"
    assert unusable_card() is None


def test_decoded_frames_equal_those_of_the_cpu(load: Load) -> None:
    latent = torch.randn(1, 128, 4, 8, 8, generator=torch.Generator().manual_seed(3))
    frames = [torch.from_numpy(f).int() for f in decode_video(latent, load(CPU).video_vae)]
    on_card = [torch.from_numpy(f).int() for f in decode_video(latent.to(CUDA), load().video_vae)]

    assert (torch.cat(frames) - torch.cat(on_card)).abs().max() <= 1


def test_yuv_equals_that_of_the_cpu(load: Load) -> None:
    load()  # turns TF32 off
    pixels = torch.rand(1, 3, 4, 64, 128, generator=torch.Generator().manual_seed(4)) * 2.4 - 1.2

    difference = to_yuv420p(pixels.to(CUDA)).cpu().int() - to_yuv420p(pixels).int()

    # Sums in another order may round to the next value.
    assert difference.abs().max() <= 1
    assert difference.count_nonzero() < difference.numel() / 1000


def test_chunks_are_copied_whole_while_the_next_one_is_computed() -> None:
    sizes = [3, 1, 8, 5, 8, 2]
    values = torch.randint(0, 256, (sum(sizes), 1536, 1024), dtype=torch.uint8, device=CUDA)
    made: list[int] = []

    def chunks() -> Iterator[torch.Tensor]:
        for part in torch.split(values, sizes):
            busy = torch.ones(2048, 2048, device=CUDA)
            for _ in range(20):
                busy = busy @ busy / 2048
            made.append(len(part))
            # Of this memory the next chunk is made, as soon as it is released.
            yield part + (busy[0, 0] - 1).byte()

    copies, ahead = [], []
    for frames in copied_to_host(chunks(), CUDA):
        copies.append(torch.from_numpy(frames))
        ahead.append(len(made) - len(copies))

    assert torch.equal(torch.cat(copies), values.cpu())
    assert ahead == [1] * 5 + [0]


def test_a_clip_whose_frames_are_yuv_is_the_same_each_time(load: Load, tmp_path: Path) -> None:
    components = load()
    for name in ("first.mp4", "second.mp4"):
        render(components, SPEC, tmp_path / name, Trace())

    assert next(generate(components, SPEC, Trace()).frames).shape[1:] == (384, 256)
    assert (tmp_path / "first.mp4").read_bytes() == (tmp_path / "second.mp4").read_bytes()


def test_nvenc_writes_an_equal_clip_or_says_why_not(load: Load, tmp_path: Path) -> None:
    try:
        h264 = resolve_h264("nvenc", CUDA)
    except EncoderError as exc:
        pytest.skip(str(exc))
    components = load()
    clips = [tmp_path / name for name in ("first.mp4", "second.mp4", "x264.mp4")]
    for clip in clips:
        info, _ = render(components, SPEC, clip, Trace(), X264 if clip.stem == "x264" else h264)
        assert info.num_frames == SPEC.num_frames

    assert clips[0].read_bytes() == clips[1].read_bytes()
    ours, theirs = decoded(clips[0]), decoded(clips[2])
    assert ours.tags == theirs.tags
    assert (ours.luma.int() - theirs.luma).abs().float().mean() < 4


@dataclass(frozen=True)
class DecodedClip:
    tags: tuple[object, ...]
    luma: torch.Tensor


def decoded(path: Path) -> DecodedClip:
    with av.open(str(path)) as source:
        context = source.streams.video[0].codec_context
        frames = [torch.from_numpy(frame.to_ndarray(format="gray")) for frame in source.decode(video=0)]
        tags = (context.profile, context.colorspace, context.color_primaries, context.color_trc, context.color_range)
        return DecodedClip(tags, torch.stack(frames))


def test_black_frames_are_refused(load: Load) -> None:
    components = load()
    with torch.no_grad():
        components.video_vae.decoder.conv_out.conv.bias.fill_(float("nan"))

    with pytest.raises(OutputError, match="every frame is black"):
        list(generate(components, SPEC, Trace()).frames)


@pytest.fixture
def fp8_linear() -> Callable[[bool], Fp8Linear]:
    if not has_fp8_arithmetic(CUDA):
        pytest.skip("this card does not multiply FP8")

    def build(static: bool) -> Fp8Linear:
        linear = Fp8Linear(512, 256, bias=True, static=static)
        linear.one = linear.one.to(CUDA)
        weight, linear.weight_scale = quantize(torch.randn(256, 512, device=CUDA) / 512**0.5)
        linear.weight = torch.nn.Parameter(weight, requires_grad=False)
        linear.bias = torch.nn.Parameter(torch.randn(256, device=CUDA, dtype=torch.bfloat16), requires_grad=False)
        linear.input_scale = torch.tensor(5 / 448, device=CUDA) if static else None
        return linear

    return build


def relative_error(found: torch.Tensor, exact: torch.Tensor) -> float:
    return float((found.float() - exact).norm() / exact.norm())


@pytest.mark.parametrize("fast_accum", [False, True], ids=["float32 sums", "fast sums"])
@pytest.mark.parametrize("static", [False, True], ids=["dynamic", "static"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@torch.inference_mode()
def test_the_scaled_matmul_is_close_to_the_dequantised_one(
    dtype: torch.dtype, static: bool, fast_accum: bool, fp8_linear: Callable[[bool], Fp8Linear]
) -> None:
    x, linear = torch.randn(300, 512, device=CUDA, dtype=dtype), fp8_linear(static)
    linear.fast_accum = fast_accum

    assert relative_error(linear(x), dequantized(linear, x.float())) < 0.05


@torch.inference_mode()
def test_a_compiled_layer_is_quantised_by_the_kernel_before_it(fp8_linear: Callable[[bool], Fp8Linear]) -> None:
    from torch._inductor import config, metrics

    x, linear = torch.randn(300, 512, device=CUDA, dtype=torch.bfloat16), fp8_linear(True)
    compiled = torch.compile(lambda x: linear(torch.nn.functional.rms_norm(x, (512,))), fullgraph=True)
    torch._dynamo.reset()
    metrics.reset()

    with config.patch(fx_graph_cache=False):
        found = compiled(x)

    assert metrics.generated_kernel_count == 1
    assert relative_error(found, dequantized(linear, torch.nn.functional.rms_norm(x.float(), (512,)))) < 0.05


def test_auto_multiplies_in_fp8_where_that_is_faster_or_needed() -> None:
    if not has_fp8_arithmetic(CUDA):
        pytest.skip("this card does not multiply FP8")

    assert resolve_fp8_mode("auto", CUDA, is_compiled=True).mode is Fp8Mode.SCALED
    assert resolve_fp8_mode("auto", CUDA, fits_plain=lambda: True).mode is Fp8Mode.DEQUANTIZE
    assert resolve_fp8_mode("auto", CUDA, fits_plain=lambda: False).mode is Fp8Mode.SCALED


def test_fp8_on_the_gpu_is_close_to_full_precision(load: Load) -> None:
    if not has_fp8_arithmetic(CUDA):
        pytest.skip("this card does not multiply FP8")
    exact, scaled = final_latent(load()), final_latent(load(dtype=torch.bfloat16, fp8=Fp8Mode.SCALED))

    assert (scaled - exact).norm() / exact.norm() < 0.1
