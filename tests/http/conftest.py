"""Requests to the session's server, images to send, and servers with other settings."""

import base64
import io
import json
import socket
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import httpx
import pytest
from PIL import Image

from tests.conftest import Server, run_server
from tests.http.loading import loading
from weights.tiny import TinyFiles

__all__ = ["loading"]

# Takes half the time of a clip with sound.
SMALL = {
    "prompt": "a red fox",
    "width": 256,
    "height": 256,
    "num_frames": 9,
    "seed": 7,
    "generate_audio": False,
}
# Takes seconds even with the tiny model; no test waits for its end.
LONG = {"prompt": "a long walk", "width": 768, "height": 512, "num_frames": 121}
STRICT = {"Prefer": "handling=strict"}

KEY, FILE_KEY = "sk-of-the-environment", "sk-of-the-file"
MAX_BODY_BYTES = 100_000


@pytest.fixture
def no_videos(client: httpx.Client) -> None:
    """Delete the videos that other tests have left on the session's server."""
    while videos := client.get("/v1/videos").json()["data"]:
        for video in videos:
            client.delete(f"/v1/videos/{video['id']}")


@dataclass(frozen=True)
class Clip:
    response: httpx.Response

    @property
    def headers(self) -> httpx.Headers:
        return self.response.headers

    @property
    def content(self) -> bytes:
        return self.response.content

    @property
    def adjustments(self) -> list[dict[str, Any]]:
        return json.loads(self.headers["x-ltx-adjustments"])

    @property
    def changes(self) -> list[tuple[str, Any, Any]]:
        return [(a["field"], a["requested"], a["used"]) for a in self.adjustments]

    def open(self) -> av.container.InputContainer:
        return av.open(io.BytesIO(self.content))


@dataclass(frozen=True)
class Refusal:
    """A 422 in the contract's shape."""

    response: httpx.Response

    @property
    def detail(self) -> list[dict[str, Any]]:
        return self.response.json()["detail"]

    @property
    def locs(self) -> list[str]:
        return [".".join(map(str, error["loc"])) for error in self.detail]


@pytest.fixture(scope="session")
def generate(client: httpx.Client) -> Callable[..., Clip]:
    """Return a function that requests a small clip: `headers` are sent as headers, all else in the body."""

    def generate(headers: dict[str, str] | None = None, **fields: Any) -> Clip:
        response = client.post("/generate", json=SMALL | fields, headers=headers)
        assert response.status_code == 200, response.text
        return Clip(response)

    return generate


@pytest.fixture(scope="session")
def refuse(client: httpx.Client) -> Callable[..., Refusal]:
    """Return a function that sends bytes, or a small clip's body with changed fields, and returns the refusal."""

    def refuse(body: bytes | None = None, headers: dict[str, str] | None = None, **fields: Any) -> Refusal:
        content = json.dumps(SMALL | fields).encode() if body is None else body
        response = client.post("/generate", content=content, headers=headers)
        assert response.status_code == 422, response.text
        assert response.headers["content-type"] == "application/json"
        assert response.content.isascii()
        refusal = Refusal(response)
        assert response.json().keys() == {"detail"}
        assert all(error.keys() == {"loc", "msg", "type"} and error["loc"][0] == "body" for error in refusal.detail)
        return refusal

    return refuse


def encode(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def picture(
    image_format: str = "PNG", color: str = "orange", size: tuple[int, int] = (64, 64), **options: Any
) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, color).save(file, image_format, **options)
    return file.getvalue()


def png(width: int, height: int, data: bytes) -> bytes:
    """Return a PNG with a valid structure around any pixel data."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.fixture(scope="session")
def guarded(cache_dir: Path, tiny: TinyFiles, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server with keys on all addresses, a small body limit, no queue, and prompts in its log."""
    key_file = tmp_path_factory.mktemp("keys") / "keys.txt"
    key_file.write_text(f"# who may come in\n\n{FILE_KEY}\n")
    with run_server(
        cache_dir,
        tmp_path_factory.mktemp("guarded"),
        *("--host", "0.0.0.0", "--api-keys-file", str(key_file), "--queue-size", "0"),
        LTX23_API_KEYS=f"sk-other, {KEY}",
        LTX23_MAX_BODY_BYTES=str(MAX_BODY_BYTES),
        LTX23_LOG_PROMPTS="1",
    ) as running:
        yield running


@pytest.fixture(scope="session")
def fast_server(cache_dir: Path, tiny: TinyFiles, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with run_server(cache_dir, tmp_path_factory.mktemp("fast"), "--fast") as running:
        yield running


@pytest.fixture(scope="session")
def lora_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a LoRA that swaps red and blue."""
    from safetensors.torch import save_file

    from tests.lora_layouts import swap_lora

    path = tmp_path_factory.mktemp("loras") / "swap-red-and-blue.safetensors"
    save_file(swap_lora(), path)
    return path


@pytest.fixture(scope="session")
def lora_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of `lora_server`, empty; a test removes what it puts there."""
    return tmp_path_factory.mktemp("lora_dir")


@pytest.fixture(scope="session")
def lora_server(
    cache_dir: Path, tiny: TinyFiles, tmp_path_factory: pytest.TempPathFactory, lora_file: Path, lora_dir: Path
) -> Iterator[Server]:
    """Run a server that offers the LoRAs `swap` and `half`, which are one file, and those of a folder."""
    options = ("--lora", f"swap={lora_file}", "--lora", f"half={lora_file}", "--lora-dir", str(lora_dir))
    with run_server(cache_dir, tmp_path_factory.mktemp("with_loras"), *options, "--device", "cpu") as running:
        yield running


@pytest.fixture(scope="session")
def without_services(cache_dir: Path, tiny: TinyFiles, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server that requires enhancement and sends traces, without a language model and a collector.

    Its metrics need no key. It has to stop cleanly all the same.
    """
    nobody = f"http://127.0.0.1:{closed_port()}"
    with run_server(
        cache_dir,
        tmp_path_factory.mktemp("without_services"),
        *("--sglang-url", nobody, "--captioner", "off", "--otel-endpoint", nobody),
        LTX23_ENHANCER_REQUIRED="1",
        LTX23_API_KEYS=KEY,
        LTX23_OPEN_METRICS="1",
    ) as running:
        yield running
        running.stop()
        assert running.process.returncode == 0


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
