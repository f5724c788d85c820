"""Images that condition a clip: the ways to send them, and refusals that name the field."""

import hashlib
import io
import json
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pillow_heif
import pytest
from PIL import ExifTags, Image, ImageCms

from server.worker.messages import Ready
from tests.http.conftest import SMALL, encode, picture, png
from tests.jobs.conftest import program_of
from tests.jobs.serving import serve
from tests.media.icc import rgb_profile

# To write HEIC files.
pillow_heif.register_heif_opener()

IMAGE = encode(picture())
OTHER = encode(picture(color="blue"))


def keyframe(frame_idx: object = 0, image: object = IMAGE, **fields: object) -> dict[str, object]:
    return {"image_b64": image, "frame_idx": frame_idx} | fields


@pytest.fixture(scope="module")
def listing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Return a client of a server whose clips list their images, each with its frame, strength and SHA-256."""
    work = tmp_path_factory.mktemp("work")
    with serve(program_of("lists_its_images"), work, cache_dir=work) as served:
        served.told(Ready)
        yield served.client


Shown = Callable[..., list[list[Any]]]


@pytest.fixture
def shown(listing: httpx.Client) -> Shown:
    """Return a function that requests a clip without adjustments, and returns the list of its images."""

    def shown(**fields: Any) -> list[list[Any]]:
        response = listing.post("/generate", json=SMALL | fields)
        assert response.status_code == 200, response.text
        assert json.loads(response.headers["x-ltx-adjustments"]) == []
        return json.loads(response.content)

    return shown


def told(data: bytes, frame_idx: int = 0, strength: float = 1.0) -> list[Any]:
    return [frame_idx, strength, hashlib.sha256(data).hexdigest()]


def test_an_image_and_a_keyframe_change_the_clip(generate: Callable) -> None:
    fields: list[dict[str, Any]] = [
        {},
        {"input_image_b64": IMAGE},
        {"input_image_b64": OTHER},
        {"keyframes": [keyframe(0), keyframe(8, OTHER)]},
        {"keyframes": [keyframe(0), keyframe(8, OTHER, strength=0.5)]},
    ]

    assert len({generate(**each).content for each in fields}) == len(fields)


@pytest.mark.parametrize(
    "text",
    [
        f"data:image/png;base64,{IMAGE}",
        f"DATA:;charset=x;base64,\n{IMAGE}",
        "\r\n".join(IMAGE[i : i + 76] for i in range(0, len(IMAGE), 76)) + "\n",
        IMAGE.rstrip("=").replace("+", "-").replace("/", "_"),
    ],
    ids=["data", "data-in-capitals", "lines", "url-safe"],
)
def test_every_variant_of_base64_is_accepted(shown: Shown, text: str) -> None:
    assert shown(input_image_b64=text) == [told(picture())]


@pytest.mark.parametrize(
    "fields",
    [
        {"image": IMAGE},
        {"image_b64": IMAGE},
        {"images": [{"image_b64": IMAGE}]},
        {"images": [{"image_b64": IMAGE, "frame_index": 0, "strength": 1.0}]},
    ],
    ids=["image", "image_b64", "images", "images-with-a-frame"],
)
def test_other_names_of_the_image_are_accepted(shown: Shown, fields: dict[str, Any]) -> None:
    assert shown(**fields) == [told(picture())]


@pytest.mark.parametrize(
    "image",
    [
        picture("JPEG"),
        picture("WEBP"),
        picture("WEBP", lossless=True),
        picture(size=(1, 1)),
        picture("JPEG", progressive=True),
        picture("GIF"),
        picture("BMP"),
        picture("TIFF"),
        picture("AVIF"),
        picture("HEIF"),
        picture("JPEG")[:-2],
    ],
    ids=[
        *("jpeg", "webp", "webp-lossless", "pixel", "progressive", "gif", "bmp", "tiff", "avif", "heic"),
        "jpeg-without-end",
    ],
)
def test_every_image_format_is_accepted(shown: Shown, image: bytes) -> None:
    assert shown(input_image_b64=encode(image)) == [told(image)]


def _saved(image: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


def test_orientation_and_profile_are_applied(generate: Callable) -> None:
    """A picture in Display P3 with an EXIF orientation, as an iPhone stores it, and the same one turned, in sRGB."""
    original = Image.linear_gradient("L").convert("RGB")
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    profile = ImageCms.ImageCmsProfile(io.BytesIO(rgb_profile()))
    srgb = ImageCms.profileToProfile(original, profile, ImageCms.createProfile("sRGB"))
    assert srgb is not None
    sent = _saved(original, exif=exif, icc_profile=rgb_profile())
    meant = _saved(srgb.transpose(Image.Transpose.ROTATE_270), icc_profile=None)

    assert generate(input_image_b64=encode(sent)).content == generate(input_image_b64=encode(meant)).content


def test_keyframes_have_several_names_and_any_order_and_minus_one_is_the_last_frame(shown: Shown) -> None:
    first, last = told(picture()), told(picture(color="blue"), 8)

    assert shown(keyframes=[keyframe(0), keyframe(8, OTHER)]) == [first, last]
    assert shown(keyframes=[keyframe(-1, OTHER), keyframe(0)]) == [first, last]
    images = [{"image_b64": IMAGE, "frame_index": 0}, {"image_b64": OTHER, "frame_index": 8}]
    assert shown(images=images) == [first, last]
    weak = [keyframe(0), keyframe(8, OTHER, strength=0.5)]
    assert shown(keyframes=weak) == [first, told(picture(color="blue"), 8, 0.5)]


@pytest.mark.parametrize(
    ("keyframes", "locs"),
    [
        ([keyframe()], ["keyframes"]),
        ([keyframe(1), keyframe(2)], ["keyframes"]),
        ([keyframe(), keyframe(9)], ["keyframes.1.frame_idx"]),
        ([keyframe(), keyframe(-2)], ["keyframes.1.frame_idx"]),
        ([keyframe(), keyframe()], ["keyframes.1.frame_idx"]),
        ([keyframe(), keyframe(8), keyframe(-1)], ["keyframes.2.frame_idx"]),
        ([keyframe(), keyframe(8.5)], ["keyframes.1.frame_idx"]),
        ([keyframe(), {"image_b64": IMAGE}], ["keyframes.1.frame_idx"]),
        ([keyframe(), {"frame_idx": 8}], ["keyframes.1.image_b64"]),
        ([keyframe(), keyframe(8, strength=1.5)], ["keyframes.1.strength"]),
        ([keyframe(), keyframe(8, crf=52)], ["keyframes.1.crf"]),
        ([keyframe(), "image"], ["keyframes.1"]),
        (keyframe(), ["keyframes"]),
        ([keyframe(0, "!"), keyframe(8, encode(b"GIF89a"))], ["keyframes.0.image_b64"]),
        ([keyframe(), keyframe(8, encode(b"GIF89a"))], ["keyframes.1.image_b64"]),
        ([keyframe(), keyframe(8, encode(picture()[:-9]))], ["keyframes.1.image_b64"]),
    ],
    ids=lambda value: str(value)[:60],
)
def test_keyframes_that_are_refused(refuse: Callable, keyframes: object, locs: list[str]) -> None:
    assert refuse(keyframes=keyframes).locs == [f"body.{loc}" for loc in locs]


def test_several_images_without_frames_are_refused(refuse: Callable) -> None:
    images = [{"image_b64": IMAGE, "frame_index": 0}, {"image_b64": IMAGE}]

    assert refuse(images=images).locs == ["body.images.1.frame_index"]


NOISE = bytes(range(256)) * 12
BAD = {
    "text": b"hello, this is no image",
    "gif": b"GIF89a" + NOISE,
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "png-cut": picture()[:-20],
    "png-short-of-pixels": png(64, 64, zlib.compress(b"\0" * 100)),
    "png-not-compressed": png(64, 64, b"garbage"),
    "jpeg-cut": picture("JPEG")[:-20],
    "webp-cut": picture("WEBP", lossless=True)[:-10],
    "webp-header-only": picture("WEBP")[:30],
    "png-without-pixels": png(0, 64, zlib.compress(b"")),
}


@pytest.mark.parametrize("name", ["input_image_b64", "image"])
@pytest.mark.parametrize("data", BAD.values(), ids=BAD.keys())
def test_an_incomplete_image_is_refused_at_its_field(refuse: Callable, data: bytes, name: str) -> None:
    refusal = refuse(**{name: encode(data)})

    assert refusal.locs == [f"body.{name}"]
    assert refusal.detail[0]["type"] == "image_invalid"


@pytest.mark.parametrize(
    "text", ["not base64!", "é", IMAGE[:-1] + "*", "data:image/png;base64,", "A", "data:image/png"]
)
def test_invalid_base64_is_refused(refuse: Callable, text: str) -> None:
    assert refuse(input_image_b64=text).locs == ["body.input_image_b64"]


def _jpeg_bomb() -> bytes:
    """Return a small JPEG whose header says 65,535 x 65,535 pixels."""
    data = bytearray(picture("JPEG"))
    start = data.index(b"\xff\xc0")
    struct.pack_into(">HH", data, start + 5, 65_535, 65_535)
    return bytes(data)


def _webp_bomb() -> bytes:
    extended = struct.pack("<4sIB3xHBHB", b"VP8X", 10, 0, 0xFFFF, 0, 0xFFFF, 0)
    return struct.pack("<4sI4s", b"RIFF", 4 + len(extended), b"WEBP") + extended


@pytest.mark.parametrize(
    "data", [png(60_000, 60_000, zlib.compress(b"")), _jpeg_bomb(), _webp_bomb()], ids=["png", "jpeg", "webp"]
)
def test_a_decompression_bomb_is_refused_by_its_header(refuse: Callable, data: bytes) -> None:
    """The files have no pixels: decoding them first would report a truncated file."""
    refusal = refuse(input_image_b64=encode(data))

    assert refusal.locs == ["body.input_image_b64"]
    assert "64 megapixels" in refusal.detail[0]["msg"]


def test_a_file_above_32_mib_is_refused(refuse: Callable) -> None:
    refusal = refuse(input_image_b64="A" * (45 << 20))

    assert refusal.locs == ["body.input_image_b64"]
    assert "32 MiB" in refusal.detail[0]["msg"]
