"""Mistyped options, commands and values: the error names the nearest one."""

import pytest

from server.cli import main


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["generate", "a fox", "--heigth", "320"], "unknown option --heigth: did you mean --height?"),
        (["generate", "a fox", "--heigth=320"], "unknown option --heigth: did you mean --height?"),
        (["enhance", "--promt", "a fox"], "unknown option --promt: did you mean --prompt?"),
        (["serve", "--prot", "80"], "unknown option --prot: did you mean --port?"),
        (["weights", "list", "--weight-dir", "x"], "unknown option --weight-dir: did you mean --weights-dir?"),
        (["--verson"], "unknown option --verson: did you mean --version?"),
        (["generate", "a fox", "--qqqqq"], "unknown option --qqqqq"),
        (["genrate", "a fox"], "unknown command genrate: did you mean generate?"),
        (["weights", "pul"], "unknown command pul: did you mean pull?"),
        (["weights", "qqq"], "unknown command qqq: it may be list, pull, "),
        (["generate", "a fox", "--format", "webmm"], "unknown value webmm of --format: did you mean webm?"),
        (["serve", "--errors", "hostd"], "unknown value hostd of --errors: did you mean hosted?"),
        (["generate", "--tail-guard", "a fox"], "unknown value a fox of --tail-guard: it may be auto, on, off"),
        (["completion", "fisch"], "unknown value fisch of shell: did you mean fish?"),
        (["generate", "a fox", "--seed", "x"], "argument --seed: invalid int value: 'x'"),
        (["enhance"], "the following arguments are required: --prompt"),
        (
            ["generate", "a fox", "--num-frames", "9", "--duration", "1"],
            "argument --duration: not allowed with argument",
        ),
    ],
    ids=" ".join,
)
def test_the_nearest_name_is_proposed(args: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(args)

    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert said.startswith(f"ltx23: error: {message}")
    assert said.endswith(" --help)\n")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "args",
    [
        ["generate", "--num", "10", "a fox", "-o", "nowhere/fox.mp4"],  # an abbreviation
        ["generate", "-o", "nowhere/fox.mp4", "--", "--a-prompt"],
        ["generate", "-o", "nowhere/fox.mp4", "-- a prompt with dashes"],
    ],
    ids=" ".join,
)
def test_what_is_not_mistyped_is_read(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(args) == 1
    assert capsys.readouterr().err == "ltx23: error: output: there is no folder nowhere\n"
