"""Memory of large images is released once their requests have been answered."""

import psutil

from benchmarks.running_server import media_checkers
from tests.http.conftest import encode, picture
from tests.http.loading import Loading


def test_the_memory_of_large_images_is_released(loading: Loading) -> None:
    """Send images to /enhance, which decodes them fully and needs no model; there is no enhancer here."""
    process = psutil.Process(loading.process.pid)

    def look_at(width: int, height: int) -> int:
        body = {"prompt": "a fox", "input_image_b64": encode(picture("JPEG", size=(width, height)))}
        answer = loading.client.post("/enhance", json=body)
        assert (answer.status_code, "enhancer" in answer.json()["detail"]) == (503, True)
        (checker,) = media_checkers(process.pid)
        return process.memory_info().rss + checker.memory_info().rss

    before_bytes = look_at(64, 64)
    after_bytes = [look_at(side, 7000) for side in (2000, 6000, 1000, 4000, 5000)][-1]

    assert after_bytes - before_bytes < 64e6
