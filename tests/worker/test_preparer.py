"""What is prepared of the next job: taken once, waited for, and dropped when it is not needed."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import pytest

from pipelines.errors import ImageError
from pipelines.spec import GenerationSpec, Keyframe
from server.worker.messages import Prepare
from server.worker.preparer import Preparer


def job(name: str) -> Prepare:
    return Prepare(name, GenerationSpec(name, 1, 64, 64, 9, Fraction(24), (Keyframe(Path("a.png")),)))


class Images:
    """Prepares prompts: "slow" when it is let through, "broken" not at all."""

    def __init__(self) -> None:
        self.begun, self.go = threading.Semaphore(0), threading.Event()
        self.prepared: list[str] = []

    def prepare(self, spec: GenerationSpec, raise_if_unwanted: Callable[[], None]) -> str:
        self.begun.release()
        if spec.prompt == "slow":
            self.go.wait()
        if spec.prompt == "broken":
            raise ImageError("it is not an image")
        raise_if_unwanted()
        self.prepared.append(spec.prompt)
        return spec.prompt


@pytest.fixture
def images() -> Images:
    return Images()


@pytest.fixture
def cancelled() -> set[str]:
    return set()


@pytest.fixture
def preparer(images: Images, cancelled: set[str]) -> Iterator[Preparer[str]]:
    with ThreadPoolExecutor(1) as executor:
        yield Preparer(executor, images.prepare, cancelled.__contains__)


def test_a_job_is_prepared_before_it_is_taken(preparer: Preparer[str], images: Images) -> None:
    preparer.begin(job("next"))
    images.begun.acquire()

    preparer.claim("another")
    assert preparer.take("another") is None
    preparer.claim("next")
    assert preparer.take("next") == "next"
    assert preparer.take("next") is None


def test_a_claimed_job_is_kept_while_the_one_after_it_is_prepared(preparer: Preparer[str], images: Images) -> None:
    preparer.begin(job("next"))
    images.begun.acquire()
    preparer.claim("next")
    preparer.begin(job("after"))
    preparer.claim("after")

    assert preparer.take("next") == "next"
    assert preparer.take("after") in ("after", None)


def test_a_job_that_is_not_claimed_is_not_kept(preparer: Preparer[str], images: Images) -> None:
    preparer.begin(job("next"))
    images.begun.acquire()
    preparer.begin(job("after"))
    preparer.claim("next")

    assert preparer.take("next") is None


def test_a_job_that_is_being_prepared_is_waited_for(preparer: Preparer[str], images: Images) -> None:
    preparer.begin(job("slow"))
    images.begun.acquire()
    preparer.claim("slow")
    threading.Timer(0, images.go.set).start()

    assert preparer.take("slow") == "slow"


def test_a_job_whose_turn_comes_before_it_is_begun_does_not_wait_for_another(
    preparer: Preparer[str], images: Images
) -> None:
    preparer.begin(job("slow"))
    images.begun.acquire()
    preparer.begin(job("next"))
    preparer.claim("next")

    assert preparer.take("next") is None
    images.go.set()


def test_what_is_dropped_is_stopped_after_its_image(preparer: Preparer[str], images: Images) -> None:
    preparer.begin(job("slow"))
    images.begun.acquire()
    preparer.drop("slow")
    preparer.begin(job("next"))
    images.go.set()
    images.begun.acquire()
    preparer.claim("slow")
    preparer.claim("next")

    assert preparer.take("slow") is None
    assert preparer.take("next") == "next"
    assert images.prepared == ["next"]


def test_a_job_that_is_cancelled_while_it_is_waited_for_is_stopped(
    preparer: Preparer[str], images: Images, cancelled: set[str]
) -> None:
    preparer.begin(job("slow"))
    images.begun.acquire()
    preparer.claim("slow")
    cancelled.add("slow")
    images.go.set()

    assert preparer.take("slow") is None
    assert images.prepared == []


def test_an_error_is_left_to_the_render(preparer: Preparer[str], images: Images) -> None:
    preparer.begin(job("broken"))
    images.begun.acquire()
    preparer.claim("broken")

    assert preparer.take("broken") is None
