"""A server that signs its clips."""

import json
from pathlib import Path

import c2pa
import httpx
import pytest

from tests.conftest import run_server
from tests.http.conftest import SMALL
from tests.media.certificates import write_signing_files
from weights.tiny import TinyFiles


def test_clips_are_signed_and_a_webm_is_reported(cache_dir: Path, tiny: TinyFiles, tmp_path: Path) -> None:
    (work := tmp_path / "work").mkdir()
    files = write_signing_files(tmp_path)
    options = ("--c2pa-certificate", str(files.certificate), "--c2pa-key", str(files.key))
    with run_server(cache_dir, work, *options) as server, httpx.Client(base_url=server.url, timeout=60) as client:
        made = client.post("/generate", json=SMALL)
        webm = client.post("/generate", json=SMALL | {"video_format": "webm"})
        features = client.get("/models").json()["data"][0]["features"]

    assert "c2pa" in features
    assert (made.status_code, webm.status_code) == (200, 200)
    assert json.loads(made.headers["x-ltx-adjustments"]) == []
    assert [a["field"] for a in json.loads(webm.headers["x-ltx-adjustments"])] == ["video_format"]
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(made.content)
    with c2pa.Reader(str(clip)) as reader:
        assert json.loads(reader.json())["validation_state"] == "Valid"


def test_a_server_does_not_sign_unless_it_is_told_to(client: httpx.Client, tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(client.post("/generate", json=SMALL).content)

    assert "c2pa" not in client.get("/models").json()["data"][0]["features"]
    with pytest.raises(c2pa.C2paError, match="ManifestNotFound"):
        c2pa.Reader(str(clip))
