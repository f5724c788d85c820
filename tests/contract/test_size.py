import pytest


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"width": 1920, "height": 1080}, [("height", 1080, 1088)]),
        ({"width": 1000, "height": 500}, [("width", 1000, 1024), ("height", 500, 512)]),
        ({"width": 768, "height": 512}, []),
        ({"width": 64}, [("width", 64, 256)]),
        ({"width": 1080.0}, [("width", 1080.0, 1088)]),
        ({"width": 16_384, "height": 16_384}, [("width", 16_384, 3840), ("height", 16_384, 2176)]),
    ],
)
def test_a_snapped_side_is_reported(adjusted, sent: dict, expected: list) -> None:
    assert adjusted(**sent, duration=1) == expected


def test_the_size_used(resolve) -> None:
    request = resolve(width=3840, height=2160, duration=1)
    assert (request.spec.width, request.spec.height) == (3840, 2176)
