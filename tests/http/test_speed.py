"""A server that renders a clip of a size before it says that it is ready."""

from pathlib import Path

from tests.conftest import run_server
from weights.tiny import TinyFiles


def test_health_and_the_terminal_tell_what_is_warm_and_which_arithmetic_runs(
    cache_dir: Path, tiny: TinyFiles, tmp_path: Path
) -> None:
    warm = {"LTX23_WARMUP": "256x256x9", "LTX23_DEVICE": "cpu"}
    with run_server(cache_dir, tmp_path, **warm) as server, server.client() as client:
        [worker] = client.get("/health").json()["workers"]
    shown = "".join(server.lines)

    assert worker["speed"] == {"mode": "eager", "compiled_blocks": 0, "warm_sizes": ["256x256x9"]}
    assert (worker["memory"]["graphs"], worker["memory"]["graph_bytes"]) == (0, 0)
    assert worker["fp8"] == {"mode": "dequantize", "reason": "no card that multiplies FP8", "linears": 0}
    assert "FP8: dequantize (no card that multiplies FP8)\n" in shown
    assert shown.index("  warm-up 256x256x9\n") < shown.index("is ready on")
    assert "Speed: eager; warm for 256x256x9\n" in shown
