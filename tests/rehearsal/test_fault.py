"""The notation of faults."""

import dataclasses
from typing import Any

import pytest

from server.rehearsal.fault import Fault, FaultError, parse_fault
from server.rehearsal.scenarios import SCENARIOS


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("status=429; retry-after=3", {"status": 429, "retry_after_s": 3}),
        ("status=503", {"status": 503}),
        ("status=500", {"status": 500}),
        ("drop=connection", {"drop": "connection"}),
        ("drop=halfway", {"drop": "halfway"}),
        ("slow=30", {"slow_s": 30.0}),
        ("slow=0.5; drop=connection", {"slow_s": 0.5, "drop": "connection"}),
        ("trickle=500", {"trickle_bytes_per_s": 500}),
        ("trickle=64kb", {"trickle_bytes_per_s": 64_000}),
        ("trickle=1mb; corrupt=truncated", {"trickle_bytes_per_s": 1_000_000, "corrupt": "truncated"}),
        ("corrupt=empty", {"corrupt": "empty"}),
        ("corrupt=html", {"corrupt": "html"}),
        ("status=503; times=2; key=Run-1", {"status": 503, "times": 2, "key": "Run-1"}),
        ("status=503; for=40", {"status": 503, "for_s": 40.0}),
        (" STATUS = 429 ;; ", {"status": 429}),
        ("scenario=queue-full", {"status": 429, "retry_after_s": 3}),
        ("scenario=cold-start; for=0.5", {"status": 503, "retry_after_s": 5, "for_s": 0.5}),
    ],
)
def test_parts_are_read(text: str, fields: dict[str, Any]) -> None:
    fault = parse_fault(text)

    assert dataclasses.replace(fault, text="") == Fault("", **fields)
    assert parse_fault(fault.text) == fault


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty: write a fault such as status=429"),
        (" ; ", "is empty"),
        ("status", "'status' is not a part: write NAME=VALUE with one of scenario, status, "),
        ("status=", "'status=' is not a part"),
        ("speed=3", "'speed=3' is not a part"),
        ("status=200", "status: '200' should be a status from 400 to 599, such as 429"),
        ("status=many", "status: 'many' should be"),
        ("status=٤٢٩", "status: '٤٢٩' should be"),
        ("status=429; retry-after=-1", "retry-after: '-1' should be whole seconds up to 86400, such as 3"),
        ("drop=halfways", "drop: 'halfways' should be one of connection, halfway"),
        ("corrupt=all", "corrupt: 'all' should be one of truncated, empty, html"),
        ("slow=nan", "slow: 'nan' should be seconds up to 3600"),
        ("slow=0", "slow: '0' should be"),
        ("slow=3601", "slow: '3601' should be"),
        ("trickle=0kb", "trickle: '0kb' should be bytes a second, such as 500, 64kb or 1mb"),
        ("trickle=64kib", "trickle: '64kib' should be"),
        ("status=503; times=0", "times: '0' should be a number of requests"),
        ("status=503; for=0", "for: '0' should be seconds"),
        ("status=503; times=1; key=a b", "key: 'a b' should be 1 to 128 letters"),
        ("scenario=rain", f"scenario: 'rain' is not one of {', '.join(SCENARIOS)}"),
        ("status=503; status=429", "status: is given twice"),
        ("status=503; drop=connection", "drop: cannot be combined with status"),
        ("drop=halfway; corrupt=html", "corrupt: cannot be combined with drop"),
        ("retry-after=3", "retry-after: needs a status, such as status=429"),
        ("trickle=64kb; status=503", "trickle: cannot be combined with status"),
        ("trickle=64kb; drop=connection", "trickle: cannot be combined with drop"),
        ("times=2; key=a", "has no fault: add status, drop, corrupt, slow or trickle"),
    ],
)
def test_an_error_names_the_part_and_what_would_be_right(text: str, message: str) -> None:
    with pytest.raises(FaultError) as error:
        parse_fault(text)
    assert str(error.value).startswith(message)


def test_a_long_value_is_shortened_in_the_error() -> None:
    with pytest.raises(FaultError) as error:
        parse_fault("status=" + "9" * 1000)
    assert len(str(error.value)) < 200


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_is_a_fault(name: str) -> None:
    assert parse_fault(f"scenario={name}") == parse_fault(SCENARIOS[name])
