"""A large image is not kept, in whatever form, once its request has been answered."""

from pathlib import Path

import psutil

from tests.conftest import run_server
from tests.http.conftest import encode, picture
from weights.tiny import TinyFiles


def test_the_memory_of_large_images_is_given_back(cache_dir: Path, tiny: TinyFiles, tmp_path: Path) -> None:
    """To /enhance, which looks at an image to its last pixel, and has no enhancer here."""
    with run_server(cache_dir, tmp_path) as server, server.client() as client:
        process = psutil.Process(server.process.pid)

        def look_at(*size: int) -> int:
            body = {"prompt": "a fox", "input_image_b64": encode(picture("JPEG", size=size))}
            assert client.post("/enhance", json=body).status_code == 503
            return process.memory_info().rss

        before_bytes = look_at(64, 64)
        after_bytes = [look_at(side, 7000) for side in (2000, 6000, 1000, 4000, 5000)][-1]

    assert after_bytes - before_bytes < 64e6
