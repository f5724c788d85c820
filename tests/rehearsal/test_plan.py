"""Which requests of a rehearsal fail, and the settings that allow one."""

from pathlib import Path

import pytest
from starlette.datastructures import Headers

from server.rehearsal.fault import FaultError
from server.rehearsal.plan import Asked, Plan, create_plan
from server.rehearsal.watched_rules import WatchedRules
from server.settings import SettingsError, load_settings


def asked(owner: str | None = None, **headers: str) -> Asked:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Asked("POST", "/generate", Headers(named), owner)


def test_requests_are_counted_by_the_key_of_their_header_or_by_their_idempotency_key() -> None:
    plan = Plan()
    by_key = asked(x_ltx_rehearse="status=503; times=1; key=a")
    by_idempotency_key = asked(x_ltx_rehearse="status=503; times=1", idempotency_key="a")

    for request in (
        by_key,
        by_idempotency_key,
        asked("of another API key", x_ltx_rehearse="status=503; times=1; key=a"),
    ):
        assert plan.fault(request)
        assert plan.fault(request) is None


@pytest.mark.parametrize("part", ["times=1", "for=1"])
def test_requests_without_a_key_cannot_be_counted(part: str) -> None:
    with pytest.raises(FaultError, match=f"^{part[:-2]}: needs key=NAME, or an Idempotency-Key header"):
        Plan().fault(asked(x_ltx_rehearse=f"status=503; {part}"))


def test_the_header_wins_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "rehearsal.toml"
    path.write_text('[[rules]]\nanswer = "status=503"\nprompt = "fox"\n')
    plan = Plan(WatchedRules(path))

    assert plan.needs_prompt(asked())
    assert not plan.needs_prompt(asked(x_ltx_rehearse="status=429"))
    chosen = [plan.fault(request, "a fox") for request in (asked(x_ltx_rehearse="status=429"), asked())]
    assert [fault and fault.status for fault in chosen] == [429, 503]


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "rehearsal.toml"
    path.write_text('[[rules]]\nanswer = "status=503; times=1"\n')
    plan = Plan(WatchedRules(path))
    assert [plan.fault(asked()) is None for _ in range(2)] == [False, True]

    path.write_text('[[rules]]\nanswer = "status=503; times=01"\n')
    assert [plan.fault(asked()) is None for _ in range(2)] == [False, True]

    path.write_text("nonsense")
    for _ in range(2):
        with pytest.raises(FaultError, match=f"{path} is not TOML: "):
            plan.fault(asked())


def test_there_is_no_plan_unless_it_is_asked_for() -> None:
    assert create_plan(load_settings()) is None
    assert create_plan(load_settings(rehearsal=True)) is not None


def test_a_file_alone_does_not_begin_a_rehearsal(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="LTX23_REHEARSAL_FILE / --rehearsal-file: needs LTX23_REHEARSAL=1"):
        create_plan(load_settings(rehearsal_file=tmp_path / "rehearsal.toml"))


def test_real_weights_are_refused_unless_forced() -> None:
    with pytest.raises(SettingsError, match=r"LTX23_REHEARSAL / --rehearsal: .* --checkpoint names real weights"):
        create_plan(load_settings(rehearsal=True, checkpoint="hosted"))
    assert create_plan(load_settings(rehearsal=True, checkpoint="hosted", rehearsal_force=True)) is not None
