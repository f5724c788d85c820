"""The fast mode: a clip rendered small and stretched to its size."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pipelines.errors import ImageError
from pipelines.fast import fast_spec, prepare_fast_pictures
from pipelines.finishing import Finishing
from pipelines.geometry import FAST_PIXELS, audio_latent_length, fast_size
from pipelines.ltx.components import Components
from pipelines.ltx.decode import back_and_forth, decode_audio
from pipelines.ltx.pipeline import stage_grids
from pipelines.ltx.trace import Trace
from pipelines.media.codecs import FAST_X264, X264
from pipelines.memory import ClipSize, MemoryLevel, MemoryPlan, Widths
from pipelines.render import start_render
from pipelines.spec import GenerationSpec, Keyframe

MakeSpec = Callable[..., GenerationSpec]


@pytest.mark.parametrize(
    ("size", "reduced"),
    [
        ((768, 512), (192, 128)),
        ((512, 768), (128, 192)),
        ((1280, 704), (192, 128)),
        ((1920, 1088), (192, 128)),
        ((1024, 1024), (128, 128)),
        ((256, 256), (128, 128)),
        ((3840, 256), (576, 64)),
        ((128, 64), (128, 64)),
    ],
)
def test_the_size_has_the_shape_of_the_clip(size: tuple[int, int], reduced: tuple[int, int]) -> None:
    assert fast_size(*size) == reduced


def test_every_size_is_reduced_to_about_as_many_pixels() -> None:
    for width in range(256, 3841, 64):
        for height in range(256, 2177, 64):
            small_width, small_height = fast_size(width, height)
            assert small_width % 64 == small_height % 64 == 0
            assert 64 <= small_width <= width
            assert 64 <= small_height <= height
            assert FAST_PIXELS / 2 <= small_width * small_height <= 1.6 * FAST_PIXELS


def test_a_picture_is_cropped_to_the_shape_of_the_clip_and_squeezed(spec: MakeSpec, tmp_path: Path) -> None:
    pixels = np.zeros((100, 400, 3), np.uint8)
    pixels[:, 100:200] = (255, 0, 0)
    pixels[:, 200:300] = (0, 0, 255)
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    wanted = spec(width=1024, height=512, keyframes=(Keyframe(tmp_path / "wide.png", 8, crf=0),))

    [picture] = prepare_fast_pictures(wanted)

    assert picture.keyframe.frame_idx == 8
    assert set(picture.pixels) == set(stage_grids(fast_spec(wanted)))
    for grid, prepared in picture.pixels.items():
        height, width = 32 * grid.height, 32 * grid.width
        assert prepared.shape == (1, 3, height, width)
        red, green, blue = prepared[0, :, :, width // 4].mean(dim=1)
        assert (red, green, blue) == pytest.approx((1, -1, -1))
        red, green, blue = prepared[0, :, :, -1].mean(dim=1)
        assert (red, green, blue) == pytest.approx((-1, -1, 1))


def test_a_broken_picture_is_an_error(spec: MakeSpec, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    with pytest.raises(ImageError):
        prepare_fast_pictures(spec(keyframes=(Keyframe(tmp_path / "broken.png"),)))


@pytest.mark.parametrize(("frames", "length"), [(5, 5), (5, 6), (5, 23), (97, 481)])
def test_the_mel_is_extended_without_a_jump(frames: int, length: int) -> None:
    mel = torch.arange(frames).view(1, 1, frames, 1).expand(1, 2, frames, 3)
    extended = back_and_forth(mel, length)

    assert extended.shape == (1, 2, length, 3)
    assert extended[:, :, :frames].equal(mel)
    assert extended.diff(dim=2).abs().eq(1).all()


@torch.inference_mode()
def test_the_sound_begins_as_it_does_without_and_is_as_long(components: Components, spec: MakeSpec) -> None:
    length = audio_latent_length(spec(num_frames=57))
    tokens = torch.randn(1, length, components.transformer.config.audio_in_channels)
    whole = decode_audio(tokens, components.audio_vae, components.vocoder)
    short = decode_audio(tokens, components.audio_vae, components.vocoder, max_latents=25)

    assert short.shape == whole.shape
    # The latents hold 0.97 s, of which the vocoder looks ahead for the last part.
    start = round(0.75 * 48_000)
    torch.testing.assert_close(short[:, :start], whole[:, :start], rtol=1e-3, atol=1e-4)
    assert short[:, -start:].std() > 0.2 * short[:, :start].std()
    assert decode_audio(tokens, components.audio_vae, components.vocoder, max_latents=length).equal(whole)


def test_every_frame_is_rendered_at_the_small_size(components: Components, spec: MakeSpec, tmp_path: Path) -> None:
    wanted = spec(width=640, height=384, num_frames=17, frame_rate=Fraction(30))
    trace = GridTrace()
    with Finishing() as finishing:
        info, _ = start_render(
            components, wanted, tmp_path / "clip.mp4", trace, finishing, h264=FAST_X264, fast=True
        ).result()

    assert (info.width, info.height, info.num_frames, info.frame_rate) == (640, 384, 17, Fraction(30))
    width, height = fast_size(640, 384)
    assert trace.shape == (1, 128, 3, height // 32, width // 32)
    assert trace.stages["decode"] == trace.decoded == 17


class GridTrace(Trace):
    """Keeps the shape of the last latent, the steps of each stage, and how many frames were decoded."""

    def __init__(self) -> None:
        self.shape: tuple[int, ...] = ()
        self.stages: dict[str, int] = {}
        self.decoded = 0

    def stage(self, name: str, steps: int) -> None:
        self.stages[name], self.decoded = steps, 0

    def step(self, count: int = 1) -> None:
        self.decoded += count

    def tensors(self, **tensors: torch.Tensor) -> None:
        if "stage_2_video" in tensors:
            self.shape = tuple(tensors["stage_2_video"].shape)


def test_frames_are_scaled_from_both_layouts(spec: MakeSpec, tmp_path: Path) -> None:
    import av

    from pipelines.ltx.frames import to_rgb, to_yuv420p
    from pipelines.media.image_crop import Size
    from pipelines.media.muxer import mux

    wanted = spec(width=256, height=192, generate_audio=False)
    rows, columns = torch.meshgrid(torch.linspace(-1, 1, 64), torch.linspace(-1, 1, 128), indexing="ij")
    small = torch.stack([rows, columns, -rows])[None, :, None].expand(-1, -1, 9, -1, -1)
    shown = []
    for convert in (to_rgb, to_yuv420p):
        path = tmp_path / f"{convert.__name__}.mp4"
        mux(path, [convert(small).numpy()], wanted, None, FAST_X264, frame_size=Size(128, 64))
        with av.open(str(path)) as clip:
            shown.append([frame.to_ndarray(format="yuv420p") for frame in clip.decode(video=0)])

    rgb, yuv = np.array(shown[0], int), np.array(shown[1], int)
    assert rgb.shape == yuv.shape == (9, 288, 256)
    assert np.abs(rgb - yuv).mean() < 1
    # From one corner to the other, as in the small frames.
    luma = rgb[:, :192]
    assert luma[:, :16, :16].mean() < luma[:, 88:104, 120:136].mean() < luma[:, -16:, -16:].mean()


def test_both_encoders_differ_in_speed_alone() -> None:
    quicker = {name for name in FAST_X264.options if FAST_X264.options[name] != X264.options.get(name)}

    assert quicker == {"preset", "8x8dct", "coder", "bf"}


def test_the_memory_plan_is_that_of_the_small_clip() -> None:
    widths = Widths(4096, 2048, 3840, 48, upsampler=1024, encoder=128, decoder=128, vocoder=1536, item_bytes=2)
    plan = MemoryPlan(MemoryLevel.RESIDENT, {}, widths, 96 * 10**9, is_fast=True)
    plain = MemoryPlan(MemoryLevel.RESIDENT, {}, widths, 96 * 10**9)

    assert plan.peak_bytes(ClipSize(3840, 2176, 121)) == plain.peak_bytes(ClipSize(192, 128, 121))
