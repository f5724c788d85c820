from fractions import Fraction

import pytest

NTSC = Fraction(24000, 1001)


@pytest.mark.parametrize(
    ("sent", "num_frames", "rate"),
    [
        ({}, 121, 24),
        ({"num_frames": 120}, 121, 24),
        ({"num_frames": 1}, 9, 24),
        ({"frames": 49}, 49, 24),
        ({"num_frames": 25, "frames": 49}, 25, 24),
        ({"fps": 30}, 121, 30),
        ({"duration": 5}, 121, 24),
        ({"duration": 0}, 121, 24),
        ({"duration": 5e-324}, 9, 24),
        ({"duration": 2.5}, 57, 24),
        ({"duration": 20}, 481, 24),
        ({"duration": 4, "fps": 25}, 97, 25),
        ({"duration": 5, "fps": 23.976}, 121, NTSC),
        ({"num_frames": 121, "duration": 5.04}, 121, Fraction(121 * 100, 504)),
        ({"num_frames": 120, "duration": 10}, 121, Fraction(121, 10)),
        ({"frames": 241, "duration": 10}, 241, Fraction(241, 10)),
        ({"num_frames": 121, "duration": 7.001}, 121, Fraction(121_000, 7001)),
        ({"num_frames": 97, "fps": 12.5}, 97, Fraction(25, 2)),
        ({"num_frames": 97, "fps": 24.123}, 97, Fraction(24123, 1000)),
        ({"num_frames": 97, "fps": 29.97}, 97, Fraction(30000, 1001)),
        ({"num_frames": 97, "fps": 5}, 97, 8),
        ({"num_frames": 97, "fps": 60}, 97, 50),
        ({"num_frames": 97, "fps": 1e300}, 97, 50),
        ({"num_frames": 97, "fps": 10**400}, 97, 50),
        ({"num_frames": 97, "fps": -1}, 97, 8),
        ({"num_frames": 97, "fps": -0.0}, 97, 24),
        ({"num_frames": 97, "fps": 30, "duration": 10}, 97, 30),
        ({"num_frames": 9, "duration": 0}, 9, 24),
        ({"num_frames": 121, "duration": 5e-324}, 121, 50),
        ({"num_frames": 121, "duration": 1e300}, 121, 8),
        ({"num_frames": 10**30}, 481, 24),
        ({"num_frames": 1e300}, 481, 24),
        ({"num_frames": 10**30, "duration": 10**400}, 161, 8),
        ({"num_frames": 10**30, "duration": 5}, 1001, 50),
    ],
)
def test_frames_and_rate(resolve, sent: dict, num_frames: int, rate: Fraction) -> None:
    request = resolve(**sent)
    assert (request.spec.num_frames, request.spec.frame_rate) == (num_frames, rate)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        # On the grid, or rounded to it from a duration: nothing to report.
        ({"num_frames": 121, "fps": 24}, []),
        ({"duration": 5}, []),
        ({"duration": 0}, []),
        ({"duration": 20}, []),
        ({"duration": 2.345, "fps": 23.976}, []),
        ({"fps": 23.976}, []),
        ({"num_frames": 121, "duration": 5}, []),
        ({"num_frames": 121, "duration": 5.04166667, "fps": 24}, []),
        ({"num_frames": 121, "duration": 5, "fps": 24}, []),
        ({"num_frames": 121, "frames": 121}, []),
        # Snapped, clamped.
        ({"num_frames": 120}, [("num_frames", 120, 121)]),
        ({"frames": 120}, [("num_frames", 120, 121)]),
        ({"num_frames": 10**30}, [("num_frames", 10**30, 481)]),
        ({"fps": 60}, [("fps", 60, 50)]),
        ({"fps": 7.9}, [("fps", 7.9, 8)]),
        ({"fps": 1e300}, [("fps", 1e300, 50)]),
        # Shortened by the cap: reported under the field that set the length.
        ({"duration": 60}, [("duration", 60, 20.042)]),
        ({"duration": 60, "fps": 50}, [("duration", 60, 20.02)]),
        ({"duration": 1e300}, [("duration", 1e300, 20.042)]),
        ({"num_frames": 489}, [("num_frames", 489, 481)]),
        ({"frames": 1000}, [("num_frames", 1000, 481)]),
        ({"num_frames": 601, "duration": 25.0}, [("num_frames", 601, 481)]),
        ({"num_frames": 601, "duration": 25, "fps": 24}, [("num_frames", 601, 481)]),
        # A duration that other fields override.
        ({"num_frames": 121, "fps": 24, "duration": 10}, [("duration", 10, 5.042)]),
        ({"num_frames": 121, "fps": 24, "duration": 0}, []),
        ({"num_frames": 121, "duration": 100}, [("duration", 100, 15.125)]),
        ({"num_frames": 121, "duration": 5e-324}, [("duration", 5e-324, 2.42)]),
        ({"num_frames": 121, "frames": 49}, [("frames", 49, 121)]),
    ],
)
def test_adjustments(adjusted, sent: dict, expected: list) -> None:
    assert adjusted(**sent) == expected


@pytest.mark.parametrize(
    ("size", "num_frames"),
    [((1920, 1080), 481), ((1080, 1920), 481), ((2560, 1440), 241), ((1440, 2560), 241), ((3840, 2160), 121)],
)
def test_the_cap_follows_the_area_after_snapping(resolve, size: tuple[int, int], num_frames: int) -> None:
    request = resolve(width=size[0], height=size[1], duration=1000)
    assert request.spec.num_frames == num_frames
    assert "duration" in {adjustment.field for adjustment in request.adjustments}


def test_the_default_length_is_capped(resolve) -> None:
    request = resolve(width=3840, height=2176, fps=8)
    assert request.spec.num_frames == 41
    [adjustment] = request.adjustments
    assert (adjustment.field, adjustment.requested, adjustment.used) == ("num_frames", None, 41)


def test_a_derived_rate_comes_from_the_frames_before_the_cap(resolve) -> None:
    request = resolve(num_frames=481, duration=40)
    assert request.spec.frame_rate == Fraction(481, 40)
    assert request.spec.num_frames == 241
