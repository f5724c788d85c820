import pytest


@pytest.mark.parametrize(
    ("named", "size"),
    [
        ({"resolution": "480p"}, (832, 512)),
        ({"resolution": "720p"}, (1280, 704)),
        ({"resolution": "1080P"}, (1920, 1088)),
        ({"resolution": "1440p"}, (2560, 1472)),
        ({"resolution": "4k"}, (3840, 2176)),
        ({"resolution": "720p", "aspect_ratio": "9:16"}, (704, 1280)),
        ({"resolution": "720p", "aspect_ratio": "1:1"}, (704, 704)),
        ({"resolution": "720p", "aspect_ratio": "4:3"}, (960, 704)),
        ({"resolution": "4K", "aspect_ratio": "21:9"}, (3840, 1664)),
        ({"aspect_ratio": "3:2"}, (768, 512)),
        ({"aspect_ratio": "9:16"}, (512, 896)),
        ({"resolution": "16:9"}, (896, 512)),
        ({"aspect_ratio": "1:1", "width": 640}, (640, 640)),
        ({"aspect_ratio": "16:9", "height": 704}, (1280, 704)),
        ({"resolution": "auto", "aspect_ratio": ""}, (768, 512)),
        ({"resolution": "720p", "aspect_ratio": "16:9", "width": 1280, "height": 704}, (1280, 704)),
    ],
)
def test_a_named_size_sets_width_and_height(resolve, named: dict, size: tuple[int, int]) -> None:
    request = resolve(**named, strict=True)
    assert (request.spec.width, request.spec.height) == size


@pytest.mark.parametrize("named", [{"resolution": "large"}, {"aspect_ratio": "wide"}, {"aspect_ratio": "16:1"}])
def test_a_named_size_is_validated_unless_width_and_height_are_sent(resolve, refuse, adjusted, named: dict) -> None:
    [(name, value)] = named.items()
    assert refuse(**named) == [name]
    assert refuse(**named, width=640) == [name]
    assert adjusted(**named, width=640, height=384) == [("width", value, 640)]


def test_resolution_fills_in_the_side_that_was_not_sent(resolve) -> None:
    request = resolve(width=640, resolution="1280x768")
    assert (request.spec.width, request.spec.height) == (640, 768)
