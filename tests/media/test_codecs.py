import subprocess
import sys

import pytest
from av.video.codeccontext import VideoCodecContext

from pipelines.media.codecs import FORMATS, X264, Codec, encoder_threads, nvenc
from pipelines.spec import Container


def test_every_container_has_codecs():
    assert set(FORMATS) == set(Container)


def test_media_types_are_those_that_clients_expect():
    assert {container: (row.media_type, row.suffix) for container, row in FORMATS.items()} == {
        "mp4": ("video/mp4", ".mp4"),
        "webm": ("video/webm", ".webm"),
    }


def test_codecs_and_the_image_reader_import_nothing_heavy():
    code = (
        "import sys, pipelines.media.codecs, pipelines.media.image\n"
        "print(sorted({'av', 'torch', 'diffusers', 'fastapi'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("codec", [X264, nvenc(None), nvenc(1)], ids=["x264", "nvenc", "nvenc of the second GPU"])
def test_the_encoder_knows_every_option_and_its_value(codec: Codec) -> None:
    context = VideoCodecContext.create(codec.encoder, "w")
    supported = context.supported_options
    known = {option.name: option for option in supported.generic + supported.private}

    assert codec.options.keys() <= known.keys()
    for name, value in codec.options.items():
        names = {choice.name for choice in known[name].choices}
        assert not names or value.lstrip("+").lstrip("-").isdigit() or value.removeprefix("+") in names


def test_both_encoders_write_the_same_codec_with_the_same_colours() -> None:
    same = ("colorspace", "color_primaries", "color_trc", "color_range", "flags")

    assert nvenc(None).name == X264.name
    assert [nvenc(None).options[name] for name in same] == [X264.options[name] for name in same]


def test_threads_depend_on_the_height_alone_and_are_bounded():
    assert [encoder_threads(height) for height in (64, 256, 320, 512, 1088, 2176)] == [1, 4, 5, 8, 8, 8]
