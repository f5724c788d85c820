"""Pictures under the names of other services: used as the first or last frame, or refused; never ignored silently."""

import base64
import io
from typing import Any

import pytest
from PIL import Image

from server.contract.errors import RequestInvalid


def saved(image_format: str, color: str = "orange") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (16, 16), color).save(file, image_format)
    return file.getvalue()


PNG, OTHER = saved("PNG"), saved("PNG", "blue")
FIRST, LAST = base64.b64encode(PNG).decode(), base64.b64encode(OTHER).decode()
URL = "https://example.com/picture"
FIRST_NAMES = [
    *("image", "image_b64", "image_url", "image_base64", "imageUrl", "input_image", "input_image_url", "img", "photo"),
    *("first_frame", "first_frame_image", "firstFrameImage", "first_image_url", "start_image", "start_frame_b64"),
    *("init_image", "init_images", "initial_image", "input_reference", "image_data", "image_urls"),
]
LAST_NAMES = [
    *("end_image", "end_frame", "end_image_url", "last_frame", "last_image", "lastFrame", "last_frame_image"),
    *("tail_image", "image_tail", "tail_image_url", "final_frame"),
]
SHAPES = [
    lambda text: text,
    lambda text: [text],
    lambda text: {"url": text},
    lambda text: {"type": "image_url", "image_url": {"url": text, "detail": "auto"}},
    lambda text: [{"b64_json": text}],
    lambda text: {"data": text, "mime_type": "image/png"},
]
SHAPE_IDS = ["text", "list", "url", "image_url", "b64_json", "data"]


@pytest.mark.parametrize("name", FIRST_NAMES)
def test_every_name_of_a_first_frame_is_accepted(resolve, name: str) -> None:
    request = resolve(strict=True, **{name: FIRST})
    [image] = request.images
    assert (image.data, image.frame_idx, image.loc) == (PNG, 0, (name,))


@pytest.mark.parametrize("name", LAST_NAMES)
def test_every_name_of_a_last_frame_is_accepted(resolve, name: str) -> None:
    request = resolve(strict=True, image_url=FIRST, num_frames=25, **{name: LAST})
    assert [(i.data, i.frame_idx, i.loc) for i in request.images] == [
        (PNG, 0, ("image_url",)),
        (OTHER, 24, (name,)),
    ]


@pytest.mark.parametrize("shape", SHAPES, ids=SHAPE_IDS)
@pytest.mark.parametrize("name", ["input_image_b64", "image", "image_url", "input_reference"])
def test_a_picture_may_have_any_of_these_shapes(resolve, name: str, shape) -> None:
    [image] = resolve(strict=True, **{name: shape(FIRST)}).images
    assert image.data == PNG


@pytest.mark.parametrize("shape", SHAPES, ids=SHAPE_IDS)
def test_a_picture_in_a_keyframe_may_have_any_of_these_shapes(resolve, shape) -> None:
    keyframes = [{"image_b64": shape(FIRST), "frame_idx": 0}, {"image_url": shape(LAST), "frame_idx": 8}]
    assert [image.data for image in resolve(strict=True, keyframes=keyframes).images] == [PNG, OTHER]


@pytest.mark.parametrize("image", ["image", "image_url", "url", "base64", "frame", "input_image", "data"])
@pytest.mark.parametrize("frame", ["frame_index", "frameIndex", "index", "idx", "frame_number"])
@pytest.mark.parametrize("name", ["keyframes", "images"])
def test_every_name_of_a_picture_and_its_frame_is_accepted_in_a_keyframe(
    resolve, name: str, image: str, frame: str
) -> None:
    sent = [{image: FIRST, frame: 0}, {image: LAST, frame: "24"}]
    images = resolve(strict=True, **{name: sent}).images
    assert [(i.data, i.frame_idx, i.loc) for i in images] == [(PNG, 0, (name, 0, image)), (OTHER, 24, (name, 1, image))]


def test_an_error_names_the_position_in_a_list_with_nulls(refuse) -> None:
    sent = [None, {"image": FIRST, "frame": 0}, {}, {"image": LAST, "frame": "late"}]
    assert refuse(keyframes=sent) == ["keyframes.3.frame"]


@pytest.mark.parametrize("name", ["first_frame", "start_frame", "end_frame", "last_frame"])
@pytest.mark.parametrize("number", [0, 24, "24", True])
def test_a_number_under_the_name_of_a_picture_is_an_unknown_field(adjusted, name: str, number: object) -> None:
    assert adjusted(**{name: number}) == [(name, number, None)]


PICTURES = [
    *(base64.b64encode(saved(name)).decode() for name in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")),
    base64.urlsafe_b64encode(saved("JPEG")).decode().rstrip("="),
    base64.encodebytes(PNG).decode(),
    "data:image/png;base64," + FIRST,
    "DATA:image/svg+xml,%3Csvg",
    "data:application/octet-stream;base64," + FIRST,
    "base64," + FIRST,
    "data:video/mp4;base64,AAAA",
    "https://example.com/a/picture.JPG?size=large",
    base64.b64encode(b"\0\0\0\x20ftypisom" + bytes(20)).decode(),
]


@pytest.mark.parametrize("picture", PICTURES, ids=lambda text: text[:24])
@pytest.mark.parametrize("name", ["reference", "reference_images", "mask", "style"])
def test_a_picture_in_an_unknown_field_is_refused(resolve, name: str, picture: str) -> None:
    nested: list[Any] = [picture, [picture], {"a": {"b": [1, picture]}}]
    for value in nested:
        with pytest.raises(RequestInvalid, match="input_image_b64") as caught:
            resolve(**{name: value})
        assert [error.loc for error in caught.value.errors] == [(name,)]
        assert picture[:40] not in str(caught.value)


def test_a_picture_in_an_unknown_field_of_a_keyframe_is_refused(refuse) -> None:
    keyframes = [{"image_b64": FIRST, "frame_idx": 0, "mask": LAST}, {"image_b64": FIRST, "frame_idx": 8}]
    assert refuse(keyframes=keyframes) == ["keyframes.0.mask"]


@pytest.mark.parametrize("name", ["reference_image", "control_images", "mask_image_url"])
def test_a_url_in_an_unknown_field_for_a_picture_is_refused(refuse, name: str) -> None:
    assert refuse(**{name: [URL]}) == [name]


CLIPS = ["https://example.com/a", "s3://bucket/a", "/data/a.mp4", "C:\\clips\\a.MOV", "a.wav", "file:///a.webm"]


@pytest.mark.parametrize("address", CLIPS)
@pytest.mark.parametrize("name", ["video_url", "videoPath", "reference_video", "audio", "audio_url", "video_urls"])
def test_the_address_of_a_clip_or_a_sound_is_refused(refuse, name: str, address: str) -> None:
    assert refuse(**{name: address}) == refuse(**{name: [{"url": address}]}) == [name]


@pytest.mark.parametrize(
    "fields",
    [
        {"sound": "on", "audio": True, "video": "hd", "video_quality": "high", "voice": "alloy"},
        {"video_output_path": "/out/a.mp4", "video_webhook_url": "https://example.com/done", "video_path": ""},
    ],
)
def test_other_fields_about_clips_and_sounds_are_ignored(resolve, fields: dict[str, Any]) -> None:
    assert resolve(**fields).images == ()


@pytest.mark.parametrize(
    "value",
    ["Euler a", "R0lG", "/9j", "iVBORw", "UklGR", "https://example.com/webhook", "data:text/plain,x", "é" * 40, 5, {}],
)
def test_other_values_of_unknown_fields_are_ignored(resolve, value: object) -> None:
    assert resolve(sampler=value).images == ()


def test_a_deep_unknown_field_is_searched_without_recursion(resolve) -> None:
    deep: Any = "x"
    for _ in range(100_000):
        deep = [deep]
    assert resolve(foo=deep).images == ()


@pytest.mark.parametrize(
    "sent",
    [
        {"input_image_b64": URL},
        {"image": f"  {URL.upper()}"},
        {"image_url": {"url": URL}},
        {"images": [{"image_b64": URL}]},
        {"images": [URL]},
        {"keyframes": [{"image_b64": URL, "frame_idx": 0}, {"image_b64": FIRST, "frame_idx": 8}]},
        {"image": FIRST, "end_image": URL},
        {"input_image_b64": "file:///etc/passwd"},
        {"input_image_b64": "blob:null/1234"},
    ],
    ids=str,
)
def test_the_url_of_an_image_is_refused_and_not_fetched(resolve, sent: dict) -> None:
    with pytest.raises(RequestInvalid, match="fetches nothing"):
        resolve(**sent)


@pytest.mark.parametrize(
    "sent",
    [
        {"image": FIRST, "image_url": 5, "init_image": [LAST, LAST]},
        {"fps": 24, "frame_rate": "fast"},
        {"num_frames": 25, "frames": "many"},
        {"width": 256, "height": 256, "resolution": "large"},
        {"keyframes": [{"image_b64": FIRST, "frame_idx": 0, "frame": []}, {"image": LAST, "url": 5, "frame_idx": 8}]},
        {"keyframes": [{"image": FIRST, "frame": 0}, {"image": LAST, "frame": 8}], "images": [5]},
    ],
    ids=lambda sent: "-".join(sent),
)
def test_a_value_that_another_name_overrides_is_not_validated(resolve, sent: dict) -> None:
    resolve(**sent)


@pytest.mark.parametrize(
    "sent",
    [{"fps": 25, "frame_rate": "25"}, {"num_frames": 25, "frames": " 25 "}, {"image": FIRST, "input_image": [FIRST]}],
    ids=str,
)
def test_two_names_with_the_same_value_are_not_an_adjustment(resolve, sent: dict) -> None:
    assert resolve(strict=True, **sent).adjustments == ()


@pytest.mark.parametrize("name", LAST_NAMES)
def test_a_last_frame_without_a_first_one_is_refused(resolve, name: str) -> None:
    with pytest.raises(RequestInvalid, match="first one") as caught:
        resolve(**{name: LAST})
    assert [error.loc for error in caught.value.errors] == [(name,)]
