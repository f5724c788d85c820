"""When a negative prompt guides the clip, and what is reported when it does not."""

from typing import Any

import pytest

from pipelines.direction import DEFAULT_NEGATIVE_PROMPT, Guidance


@pytest.mark.parametrize(
    ("fields", "guidance"),
    [
        ({"negative_prompt": "blurry"}, Guidance("blurry", 5, 0.25, 2.5, False)),
        ({"negative_prompt": "blurry", "nag_scale": 3}, Guidance("blurry", scale=3)),
        ({"nag_scale": "7.5"}, Guidance(DEFAULT_NEGATIVE_PROMPT, scale=7.5)),
        ({"nag_scale": 5, "negative_prompt": DEFAULT_NEGATIVE_PROMPT}, Guidance(DEFAULT_NEGATIVE_PROMPT)),
        ({"nag_scale": 5, "negative_prompt": None}, Guidance(DEFAULT_NEGATIVE_PROMPT)),
        (
            {"negative_prompt": "blurry", "nag_alpha": 1, "nag_tau": 1.5, "nag_audio": True},
            Guidance("blurry", alpha=1, tau=1.5, audio=True),
        ),
    ],
)
def test_a_negative_prompt_or_a_scale_above_1_asks_for_guidance(
    resolve, fields: dict[str, Any], guidance: Guidance
) -> None:
    resolved = resolve(strict=True, **fields)

    assert resolved.spec.guidance == guidance
    assert resolved.adjustments == ()


@pytest.mark.parametrize(
    "fields",
    [
        {"negative_prompt": DEFAULT_NEGATIVE_PROMPT},
        {"negative_prompt": f" {DEFAULT_NEGATIVE_PROMPT}\n"},
        {"negative_prompt": ""},
        {"negative_prompt": "  "},
        {"nag_scale": 1},
        {"nag_scale": 0, "negative_prompt": DEFAULT_NEGATIVE_PROMPT},
        {"nag_scale": 1, "nag_alpha": 0.25, "nag_tau": 2.5, "nag_audio": False},
        {"nag_alpha": 0},
    ],
)
def test_neutral_values_are_a_plain_request(resolve, fields: dict[str, Any]) -> None:
    assert resolve(strict=True, **fields) == resolve()


@pytest.mark.parametrize(
    ("fields", "changes", "reason"),
    [
        (
            {"negative_prompt": "blurry", "nag_scale": 1},
            [("negative_prompt", "blurry", None)],
            "nag_scale is not above 1",
        ),
        ({"negative_prompt": "blurry", "nag_alpha": 0}, None, "nag_alpha is 0"),
        ({"negative_prompt": "", "nag_scale": 5}, [("nag_scale", 5, 1)], "negative_prompt is empty"),
        (
            {"nag_alpha": 0.5, "nag_tau": 3, "nag_audio": True},
            [("nag_alpha", 0.5, None), ("nag_tau", 3, None), ("nag_audio", True, False)],
            "neither negative_prompt nor nag_scale asks for guidance",
        ),
    ],
)
def test_what_has_no_effect_is_reported(resolve, fields: dict[str, Any], changes: Any, reason: str) -> None:
    resolved = resolve(**fields)

    assert resolved.spec.guidance is None
    if changes is not None:
        assert [(a.field, a.requested, a.used) for a in resolved.adjustments] == changes
    assert all(adjustment.reason.startswith(reason) for adjustment in resolved.adjustments)
    assert resolved.adjustments


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("nag_scale", -0.1),
        ("nag_scale", 20.1),
        ("nag_alpha", -0.1),
        ("nag_alpha", 1.01),
        ("nag_tau", 0),
        ("nag_tau", 10.1),
        ("nag_audio", "maybe"),
        ("negative_prompt", "x" * 10_001),
        ("negative_prompt", ["blurry"]),
    ],
)
def test_values_that_are_refused(refuse, field: str, value: Any) -> None:
    assert refuse(**{field: value}) == [field]
