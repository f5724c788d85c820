"""The answer to a client whose worker fails, and to the next client. Each worker is a program that fails in one way."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from server.worker.messages import LoadFailed, Ready
from tests.jobs.conftest import program_of
from tests.jobs.serving import Served, serve

Serving = Callable[..., AbstractContextManager[Served]]


@pytest.fixture
def serving(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Serving]:
    """Return a context manager that runs a server, given its workers' program; it must log no traceback."""
    yield lambda name, **settings: serve(program_of(name), tmp_path / "work", cache_dir=tmp_path, **settings)
    assert [record.getMessage() for record in caplog.get_records("call") if record.exc_info] == []


KILLED = "the worker process ended while it rendered this clip"
LATE = "the render took longer than 0.5 s, this server's deadline, and was stopped"
NOT_WHOLE = "the clip that was rendered could not be read: its file is not whole"

FAULTS = [
    ("killed_in_a_render", "die", 500, KILLED),
    ("dies_before_a_render", "never", 500, KILLED),
    ("talks_nonsense", "nonsense", 500, KILLED),
    ("hangs_in_a_step", "hang", 504, LATE),
    ("cancels", "long", 504, LATE),
    ("done_after_cancel", "late", 504, LATE),
    ("floods", "flood", 504, LATE),
    ("refuses", "invalid", 422, [{"loc": ["body"], "msg": "because invalid", "type": "refused"}]),
    ("refuses", "fail", 500, "because internal"),
    ("refuses", "no memory", 500, "because out of memory"),
    ("writes_half_a_file", "half", 500, NOT_WHOLE),
    ("writes_half_a_file", "nothing", 500, NOT_WHOLE),
]


@pytest.mark.parametrize(("program", "prompt", "status", "detail"), FAULTS, ids=[f"{f[0]}-{f[1]}" for f in FAULTS])
def test_a_fault_is_answered_and_the_next_request_is_served(
    serving: Serving, program: str, prompt: str, status: int, detail: object
) -> None:
    with serving(program, deadline_s=0.5) as served:
        served.told(Ready)
        fault, following = served.ask(prompt), served.ask_until_ready("quick")
        left = served.left_files()
        health = served.client.get("/health").json()

    assert (fault.status_code, fault.json()["detail"]) == (status, detail)
    assert (following.status_code, following.content) == (200, b"quick")
    assert left == []
    assert (health["status"], health["queue"]["depth"], health["queue"]["running"]) == ("ok", 0, 0)


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("exits_while_loading", "the worker process ended with exit code 7"),
        ("fails_to_load", "the checkpoint is cut short"),
    ],
)
def test_a_model_that_does_not_load_is_reported_and_loaded_again(serving: Serving, program: str, reason: str) -> None:
    with serving(program) as served:
        served.told(LoadFailed)
        health, refused = served.client.get("/health"), served.ask("quick")
        served.told(Ready)
        following = served.ask("quick")

    assert (health.status_code, health.json()["status"]) == (503, "failed")
    assert health.json()["error"].startswith(reason)
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) > 0
    assert refused.json()["detail"].startswith(reason)
    assert following.status_code == 200
