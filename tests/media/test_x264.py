"""Which instruction sets x264 may use."""

from pipelines.media.x264 import has_avx512


def test_avx512_is_read_from_the_flags_of_the_cpu() -> None:
    lines = "processor\t: 0\nmodel name\t: avx512bw\nflags\t\t: fpu {} avx2\nbugs\t\t: avx512bw\n"

    assert has_avx512(lines.format("avx512f avx512bw"))
    assert not has_avx512(lines.format("bmi2"))
    assert not has_avx512("Features\t: fp asimd\n")
