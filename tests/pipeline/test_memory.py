"""Estimates of a clip's memory, compared with a count of every allocation at full size, and the plans based on them."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import nn

from pipelines.direction import Retake, Sound
from pipelines.errors import SpecError
from pipelines.geometry import LatentGrid, audio_latent_length, latent_grid
from pipelines.ltx.build import build_module
from pipelines.ltx.decode import MIN_CHUNK_BYTES, stream_decoder
from pipelines.ltx.frames import to_yuv420p
from pipelines.ltx.pipeline import prepare_pictures
from pipelines.ltx.transformer.guidance import Negative
from pipelines.ltx.transformer.model import Modality, Transformer
from pipelines.ltx.video_encode import encode_video
from pipelines.memory import (
    DEFAULT_CLIP,
    MAX_QUEUED_BYTES,
    OVERHEAD,
    RESERVED_BYTES,
    SMALLEST_CHUNK_BYTES,
    SMALLEST_CLIP,
    ClipSize,
    ComponentSize,
    MemoryLevel,
    MemoryPlan,
    Widths,
    activation_bytes,
    choose_plan,
)
from pipelines.spec import GenerationSpec, Keyframe
from tests.pipeline.count_memory import META, peak_bytes
from weights.architecture import (
    audio_vae_kwargs,
    connector_kwargs,
    transformer_kwargs,
    video_vae_kwargs,
    vocoder_kwargs,
)
from weights.full_config import full_config, full_upsampler_config
from weights.full_model import GEMMA_12B, TEXT_LAYERS
from weights.published import published_tensors

CONFIG = full_config()
WIDTHS = Widths(4096, 2048, 3840, 48, upsampler=1024, encoder=128, decoder=128, vocoder=1536, item_bytes=2)
CLIPS = [
    ClipSize(768, 512, 121),
    ClipSize(1920, 1088, 241),
    ClipSize(768, 512, 121, is_conditioned=True),
    ClipSize(1920, 1088, 241, Fraction(25), is_conditioned=True, later_keyframes=2),
]


def module(component: str, kwargs: dict[str, Any], dtype: torch.dtype = torch.bfloat16) -> Any:
    return build_module(component, kwargs).to(META, dtype)


def tensors(*modules: nn.Module) -> list[torch.Tensor]:
    return [tensor for each in modules for tensor in (*each.parameters(), *each.buffers())]


def zeros(*shape: int, dtype: torch.dtype = torch.bfloat16) -> torch.Tensor:
    return torch.zeros(*shape, device=META, dtype=dtype)


def assert_near(estimate: int, counted: int) -> None:
    """Check that an estimate is not too low, and at most 25 % too high."""
    assert counted <= estimate <= 1.25 * counted


@pytest.fixture(scope="module")
def transformer() -> Transformer:
    """Build a transformer of two blocks: blocks run one after another, so their number does not change the peak."""
    config = CONFIG["transformer"] | {"num_layers": 2}
    found: Transformer = module("transformer", transformer_kwargs(config, CONFIG["audio_vae"]))
    return found


def forward(transformer: Transformer, clip: ClipSize, guided: bool = False) -> Callable[[], object]:
    grid, audio = latent_grid(clip), audio_latent_length(clip)
    frames = grid.frames + clip.later_keyframes
    sigma, strengths = zeros(1, dtype=torch.float32), zeros(3, dtype=torch.float32)

    def negative(width: int) -> Negative | None:
        return Negative(zeros(1, 1024, width), strengths) if guided else None

    def call() -> object:
        rotary = transformer.rotary_tables(
            zeros(1, 3, frames * grid.tokens_per_frame, 2, dtype=torch.float32),
            zeros(1, 1, audio, 2, dtype=torch.float32),
        )
        return transformer(
            Modality(
                zeros(frames, grid.tokens_per_frame, 128),
                zeros(frames, dtype=torch.float32),
                sigma,
                zeros(1, 1024, 4096),
                negative(4096),
            ),
            Modality(zeros(1, audio, 128), sigma, sigma, zeros(1, 1024, 2048), negative(2048)),
            rotary,
        )

    return call


@pytest.mark.parametrize("guided", [False, True], ids=["plain", "guided"])
@pytest.mark.parametrize("clip", CLIPS, ids=str)
def test_the_estimate_for_a_forward_of_the_transformer(clip: ClipSize, guided: bool, transformer: Transformer) -> None:
    """Guidance adds the keys and values of one block; what it computes of the tokens is less than a feed forward."""
    counted = peak_bytes(forward(transformer, clip, guided), tensors(transformer))

    assert_near(activation_bytes(WIDTHS, clip)["denoise"], counted)


def test_the_estimate_for_a_prompt() -> None:
    from transformers import Gemma3TextConfig, Gemma3TextModel

    with META:
        gemma = Gemma3TextModel(Gemma3TextConfig(vocab_size=1000, **GEMMA_12B)).to(torch.bfloat16)
    published = published_tensors(CONFIG, TEXT_LAYERS)
    connectors = module("connectors", connector_kwargs(CONFIG["transformer"], published))
    rows = torch.zeros(1, 1024, device=META, dtype=torch.long)

    def call() -> object:
        # Masks depend on values, which `meta` does not have.
        masks = {"full_attention": None, "sliding_attention": None}
        output = gemma(rows, attention_mask=masks, output_hidden_states=True, use_cache=False)
        stacked = torch.stack(output.hidden_states, dim=-1)
        del output
        return connectors(stacked, rows)

    assert_near(activation_bytes(WIDTHS, DEFAULT_CLIP)["prompt"], peak_bytes(call, tensors(gemma, connectors)))


@pytest.mark.parametrize("clip", CLIPS[:2], ids=str)
def test_the_estimate_for_the_upsampler(clip: ClipSize) -> None:
    config = full_upsampler_config()
    kwargs = {name: config[name] for name in ("in_channels", "mid_channels", "num_blocks_per_stage", "dims")}
    upsampler = module("upsampler", kwargs | {"rational_spatial_scale": 2.0, "use_rational_resampler": False})
    grid = latent_grid(clip, downscale=2)
    counted = peak_bytes(lambda: upsampler(zeros(1, 128, *shape(grid))), tensors(upsampler))

    assert_near(activation_bytes(WIDTHS, clip)["upsample"], counted)


def shape(grid: LatentGrid) -> tuple[int, int, int]:
    return grid.frames, grid.height, grid.width


@pytest.fixture(scope="module")
def video_vae() -> nn.Module:
    return module("video_vae", video_vae_kwargs(CONFIG["vae"]))


@pytest.mark.parametrize("clip", CLIPS[2:], ids=str)
def test_the_estimate_for_an_image(clip: ClipSize, video_vae: Any) -> None:
    pixels = zeros(1, 3, 1, clip.height, clip.width)
    counted = peak_bytes(lambda: video_vae.encode(pixels), tensors(video_vae))

    assert_near(activation_bytes(WIDTHS, clip)["encode"], counted)


@pytest.mark.parametrize("size", [(768, 512), (1920, 1088)])
def test_the_estimate_for_the_decoder_does_not_depend_on_the_length(
    size: tuple[int, int], video_vae: nn.Module
) -> None:
    clip = ClipSize(*size, 65)

    def call() -> None:
        for chunk in stream_decoder(
            video_vae.decoder, zeros(1, 128, *shape(latent_grid(clip))), chunk_bytes=MIN_CHUNK_BYTES
        ):
            to_yuv420p(chunk)
            del chunk

    counted, estimate = peak_bytes(call, tensors(video_vae)), activation_bytes(WIDTHS, clip)["decode"]
    assert counted <= estimate <= 1.25 * counted + SMALLEST_CHUNK_BYTES


@pytest.mark.parametrize("clip", CLIPS[:2], ids=str)
def test_the_estimate_for_sound(clip: ClipSize) -> None:
    audio_vae = module("audio_vae", audio_vae_kwargs(CONFIG["audio_vae"]))
    vocoder = module("vocoder", vocoder_kwargs(CONFIG["vocoder"]), torch.float32)
    latent = zeros(1, 8, audio_latent_length(clip), 16)

    def call() -> object:
        return vocoder(audio_vae.decode(latent, return_dict=False)[0].float())

    assert_near(activation_bytes(WIDTHS, clip)["audio"], peak_bytes(call, tensors(audio_vae, vocoder)))
    assert activation_bytes(WIDTHS, replace(clip, has_audio=False))["audio"] == 0


@pytest.mark.parametrize("clip", CLIPS[:2], ids=str)
def test_the_estimate_for_a_given_sound(clip: ClipSize) -> None:
    audio_vae = module("audio_vae", audio_vae_kwargs(CONFIG["audio_vae"]))
    mel = zeros(1, 2, 4 * audio_latent_length(clip) + 1, 64)
    counted = peak_bytes(lambda: audio_vae.encode(mel).latent_dist.mode(), tensors(audio_vae))

    given = ClipSize.of(
        GenerationSpec(
            "a fox", 1, clip.width, clip.height, clip.num_frames, clip.frame_rate, sound=Sound(Path("sound.wav"))
        )
    )
    stages = activation_bytes(WIDTHS, given)
    assert_near(stages["sound"], counted)
    assert stages["audio"] == 0
    assert activation_bytes(WIDTHS, clip)["sound"] == 0


def test_the_estimate_for_a_clip_that_another_one_is_made_from() -> None:
    clip, video_vae = CLIPS[0], module("video_vae", video_vae_kwargs(CONFIG["vae"]))
    frames = [zeros(3, clip.height, clip.width) for _ in range(clip.num_frames)]
    counted = peak_bytes(lambda: encode_video(iter(frames), video_vae, META), [*tensors(video_vae), *frames])

    size = (clip.width, clip.height, clip.num_frames, clip.frame_rate)
    retaken = ClipSize.of(GenerationSpec("a fox", 1, *size, source=Retake(Path("clip.mp4"), 121, 1.0, 2.0)))
    assert_near(activation_bytes(WIDTHS, retaken)["source"], counted)
    assert activation_bytes(WIDTHS, retaken)["sound"] > 0
    assert activation_bytes(WIDTHS, clip)["source"] == 0


GB = 10**9
COMPONENTS = {
    "transformer": ComponentSize(21 * GB, (1 * GB, *[GB // 2] * 40)),
    "text_encoder": ComponentSize(24 * GB, (2 * GB, *[GB // 2] * 44)),
    "connectors": ComponentSize(6 * GB),
    "video_vae": ComponentSize(2 * GB),
}


@pytest.mark.parametrize(("capacity_gb", "level"), [(96, "resident"), (48, "balanced"), (24, "low"), (16, "low")])
def test_the_chosen_level_fits_the_device(capacity_gb: int, level: str) -> None:
    plan = choose_plan(None, COMPONENTS, WIDTHS, capacity_gb * GB)

    assert plan.level == level
    assert plan.resident_bytes + plan.host_bytes == 53 * GB
    assert plan.fits(DEFAULT_CLIP)


def test_a_requested_level_is_used() -> None:
    plan = choose_plan(MemoryLevel.LOW, COMPONENTS, WIDTHS, 96 * GB)

    assert plan.streamed == {"transformer", "text_encoder"}
    assert plan.host_bytes == 45 * GB


def test_only_what_does_not_fit_beside_a_clip_is_copied() -> None:
    larger = ClipSize(1920, 1088, 241)
    plans = [MemoryPlan(MemoryLevel.LOW, COMPONENTS, WIDTHS, gigabytes * GB) for gigabytes in (14, 24, 32, 48, 96)]
    copied = [plan.copied_bytes(DEFAULT_CLIP, steps=11) for plan in plans]

    assert copied == sorted(copied, reverse=True)
    assert copied[0] == (11 * 21 + 24) * GB
    assert copied[-1] == 0
    for plan in plans:
        kept = plan.kept(DEFAULT_CLIP)
        assert plan.peak_bytes(DEFAULT_CLIP, kept) <= max(0.9 * plan.capacity_bytes, plan.peak_bytes(DEFAULT_CLIP))
        assert plan.copied_bytes(larger, steps=11) >= plan.copied_bytes(DEFAULT_CLIP, steps=11)
    # The text encoder runs once where the transformer runs eleven times.
    assert plans[-2].kept(DEFAULT_CLIP)["transformer"] == 41 > plans[-2].kept(DEFAULT_CLIP)["text_encoder"]


def test_where_nothing_can_be_streamed_every_level_is_the_same() -> None:
    """The case of a CPU, which has no memory but the host's."""
    sizes = {name: ComponentSize(size.size_bytes) for name, size in COMPONENTS.items()}
    plans = [choose_plan(level, sizes, WIDTHS, 96 * GB) for level in (None, *MemoryLevel)]

    assert {plan.peak_bytes(DEFAULT_CLIP) for plan in plans} == {plans[0].peak_bytes(DEFAULT_CLIP)}
    assert plans[0].level is MemoryLevel.RESIDENT
    assert plans[0].peak_bytes(DEFAULT_CLIP) > 53 * GB
    assert {plan.host_bytes for plan in plans} == {0}
    assert not choose_plan(None, sizes, WIDTHS, 24 * GB).fits(SMALLEST_CLIP)


def test_where_the_device_is_the_host_the_clips_before_and_after_count(tmp_path: Path) -> None:
    """Their frames that wait for the encoder, and their images, which are made here as they are for a render."""
    sizes = {name: ComponentSize(size.size_bytes) for name, size in COMPONENTS.items()}
    on_host, on_card = (choose_plan(MemoryLevel.RESIDENT, each, WIDTHS, 96 * GB) for each in (sizes, COMPONENTS))
    image = tmp_path / "image.png"
    Image.new("RGB", (300, 200)).save(image)
    spec = GenerationSpec("a fox", 1, 768, 512, 25, Fraction(24), (Keyframe(image),))
    (picture,) = prepare_pictures(spec)
    frames_bytes = 25 * 512 * 768 * 3
    pictures_bytes = sum(pixels.nbytes for pixels in picture.pixels.values())

    clip = ClipSize.of(spec)
    assert on_host.peak_bytes(clip) - on_card.peak_bytes(clip) == frames_bytes + pictures_bytes
    longer = ClipSize(1920, 1088, 121)
    assert on_host.peak_bytes(longer) - on_card.peak_bytes(longer) == MAX_QUEUED_BYTES


def test_a_clip_that_does_not_fit_is_refused_with_sizes_that_do() -> None:
    plan = MemoryPlan(MemoryLevel.RESIDENT, COMPONENTS, WIDTHS, 70 * GB)
    clip = ClipSize(3840, 2176, 121)

    with pytest.raises(SpecError, match=r"3840x2176 with 121 frames needs [\d.]+ GB of memory, the device has 70.0 GB"):
        plan.validate(clip)
    smaller, shorter = plan.smaller(clip), plan.shorter(clip)
    assert smaller is not None
    assert shorter is not None
    for fitting in (smaller, shorter):
        plan.validate(fitting)
    assert smaller.num_frames == 121
    assert abs(smaller.width / smaller.height - clip.width / clip.height) < 0.1
    assert not plan.fits(replace(clip, num_frames=shorter.num_frames + 8))
    assert (shorter.width, shorter.height) == (3840, 2176)


def test_a_device_too_small_for_any_clip_is_reported() -> None:
    plan = choose_plan(None, COMPONENTS, WIDTHS, 8 * GB)

    assert not plan.fits(SMALLEST_CLIP)
    with pytest.raises(SpecError, match="no clip of this shape would fit"):
        plan.validate(SMALLEST_CLIP)


def test_the_peak_is_that_of_the_largest_stage() -> None:
    plan = MemoryPlan(MemoryLevel.LOW, COMPONENTS, WIDTHS, 24 * GB)
    stages = activation_bytes(WIDTHS, DEFAULT_CLIP)

    assert plan.peak_bytes(DEFAULT_CLIP) == 8 * GB + max(
        stages["denoise"] + 2 * GB, stages["prompt"] + 3 * GB
    )  # the rest and 2 blocks
    assert plan.fits(DEFAULT_CLIP) is (plan.peak_bytes(DEFAULT_CLIP) + RESERVED_BYTES <= 24 * GB)
    assert OVERHEAD > 1
