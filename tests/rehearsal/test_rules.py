"""The rehearsal file."""

from pathlib import Path

import pytest

from server.rehearsal.counts import Counts
from server.rehearsal.rules import Rules, RulesError, read_rules

RULE = '[[rules]]\nanswer = "status=503"\n'


def rules(tmp_path: Path, text: str) -> Rules:
    path = tmp_path / "rehearsal.toml"
    path.write_text(text)
    return Rules(read_rules(path), Counts())


def faults(found: Rules, count: int, method: str = "POST", path: str = "/generate", prompt: str = "") -> list[str]:
    """Return the text of the fault of each of the next requests, or nothing for a real answer."""
    chosen = [found.fault(method, path, prompt) for _ in range(count)]
    return [fault.text if fault else "" for fault in chosen]


def test_a_rule_picks_requests_by_their_order(tmp_path: Path) -> None:
    found = rules(tmp_path, RULE + "order = [1, 3]\n")

    assert faults(found, 4) == ["status=503", "", "status=503", ""]


def test_the_same_seed_picks_the_same_share(tmp_path: Path) -> None:
    def picked(seed: int) -> list[str]:
        return faults(rules(tmp_path, f"seed = {seed}\n{RULE}share = 0.3\n"), 1000)

    assert picked(1) == picked(1) != picked(2)
    assert 250 < picked(1).count("status=503") < 350


@pytest.mark.parametrize(("share", "count"), [("0", 0), ("1.0", 50)])
def test_a_share_may_be_none_or_all(tmp_path: Path, share: str, count: int) -> None:
    found = rules(tmp_path, f"{RULE}share = {share}\n")

    assert faults(found, 50).count("status=503") == count


def test_a_rule_selects_by_a_part_of_the_prompt(tmp_path: Path) -> None:
    found = rules(tmp_path, RULE + 'prompt = "Storm"\norder = [2]\n')

    prompts = ["a storm", "a fox", "STORMS", "storm"]
    assert [bool(found.fault("POST", "/generate", prompt)) for prompt in prompts] == [False, False, True, False]
    assert found.need_prompt("POST", "/generate")
    assert not found.need_prompt("GET", "/health")


def test_a_rule_selects_posts_unless_it_says_otherwise(tmp_path: Path) -> None:
    content = "/v1/videos/video_1/content"
    assert faults(rules(tmp_path, RULE), 1, "GET", content) == [""]
    found = rules(tmp_path, RULE + 'request = "GET /v1/videos/*/content"\n')
    assert faults(found, 1, "GET", content) == ["status=503"]
    assert faults(found, 1, "GET", "/v1/videos/video_1") == [""]
    assert faults(found, 1, "POST", content) == [""]
    assert faults(rules(tmp_path, RULE + 'request = "* *"\n'), 1, "DELETE", "/x") == ["status=503"]


def test_the_first_rule_that_picks_a_request_decides(tmp_path: Path) -> None:
    found = rules(tmp_path, f'[[rules]]\nanswer = "drop=halfway; times=1"\n{RULE}order = [2]\n')

    assert faults(found, 3) == ["drop=halfway; times=1", "status=503", ""]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rules = 3 =", "is not TOML: "),
        ("\xff", "is not TOML: "),
        ("", "rules: Field required"),
        ("rules = []", "rules: List should have at least 1 item"),
        ("seed = 'one'\n" + RULE, "seed: Input should be a valid integer"),
        ("seeds = 1\n" + RULE, "seeds: Extra inputs are not permitted"),
        ("[[rules]]\norder = [1]", "rule 1, answer: Field required"),
        ('[[rules]]\nanswer = "status=2"', "rule 1, answer: status: '2' should be a status from 400 to 599"),
        (RULE + "[[rules]]\nanswer = 503", "rule 2, answer: Input should be a valid string"),
        (RULE + "share = 1.5", "rule 1, share: Input should be less than or equal to 1"),
        (RULE + "order = [0]", "rule 1, order: Input should be greater than or equal to 1"),
        (RULE + "order = []", "rule 1, order: List should have at least 1 item"),
        (RULE + "chance = 1", "rule 1, chance: Extra inputs are not permitted"),
        (RULE + 'request = "/generate"', "rule 1, request: should be METHOD PATH, such as POST /generate"),
        (RULE + 'prompt = ""', "rule 1, prompt: String should have at least 1 character"),
    ],
)
def test_an_error_names_the_rule_and_the_part(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "rehearsal.toml"
    path.write_bytes(text.encode("latin-1"))

    with pytest.raises(RulesError) as error:
        read_rules(path)
    assert str(error.value).removeprefix(f"{path}").lstrip(": ").startswith(message)


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(RulesError, match=r"none\.toml cannot be read: No such file"):
        read_rules(tmp_path / "none.toml")
