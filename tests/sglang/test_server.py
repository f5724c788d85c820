"""`ltx23 serve` with a real SGLang, from the request to the clip."""

from pathlib import Path

import pytest

from pipelines.media.probe import probe
from tests.conftest import run_server
from weights.tiny import TinyFiles

pytestmark = pytest.mark.sglang

PROMPT = 'a fox called Reineke says "Good evening!" in the snow'
CLIP = {"prompt": PROMPT, "width": 256, "height": 256, "num_frames": 9, "seed": 7, "enhance_prompt": True}


def test_a_prompt_is_rewritten_and_rendered(sglang_url: str, cache_dir: Path, tiny: TinyFiles, tmp_path: Path) -> None:
    options = ("--enhancer", "external", "--sglang-url", sglang_url, "--captioner", "off", "--enhance-timeout-s", "60")
    with run_server(cache_dir, tmp_path, *options) as server, server.client() as client:
        rewrite = client.post("/enhance", json={"prompt": PROMPT})
        clip = client.post("/generate", json=CLIP)
        health = client.get("/health").json()

    assert rewrite.status_code == 200, rewrite.text
    assert '"Good evening!"' in rewrite.json()["prompt"]
    assert "Reineke" in rewrite.json()["prompt"]
    assert clip.status_code == 200, clip.text
    (tmp_path / "clip.mp4").write_bytes(clip.content)
    assert probe(tmp_path / "clip.mp4").num_frames == 9
    assert health["enhancer"] == {"status": "ok", "reasons": []}
