"""The reader of Dockerfiles that deploy/try-image uses."""

from pathlib import Path

import pytest

from deploy.try_image.dockerfile import DockerfileError, Instruction, read_dockerfile, substitute


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "Dockerfile"


def test_stages_and_continued_lines_are_read(file: Path) -> None:
    file.write_text(
        """\
# A comment.
ARG BASE=debian:bookworm
FROM ${BASE} AS first
RUN apt-get update \\
    # a comment inside
    && apt-get install g++

from first
ENV A=1 B="two words" \\
    C=$A
"""
    )

    first, last = read_dockerfile(file, {})

    assert (first.base, first.name) == ("debian:bookworm", "first")
    assert first.instructions == [Instruction("RUN", "apt-get update     && apt-get install g++", 4)]
    assert (last.base, last.name) == ("first", "")
    assert last.instructions[0].pairs() == {"A": "1", "B": "two words", "C": "$A"}


def test_a_build_argument_replaces_the_default(file: Path) -> None:
    file.write_text("ARG BASE=debian:bookworm\nFROM $BASE\n")

    (stage,) = read_dockerfile(file, {"BASE": "debian:trixie"})

    assert stage.base == "debian:trixie"


def test_variables_are_replaced_and_unknown_ones_are_empty() -> None:
    instruction = Instruction("ENV", "PATH=/opt/bin:$PATH X=${Y}z", 1)

    assert substitute(instruction, {"PATH": "/bin"}).pairs() == {"PATH": "/opt/bin:/bin", "X": "z"}


def test_arrays_words_and_flags_are_split() -> None:
    assert Instruction("CMD", '["python3", "-c", "print(\\"x\\")"]', 1).words() == ["python3", "-c", 'print("x")']
    assert Instruction("CMD", "ltx23 serve", 1).words() == ["ltx23", "serve"]
    assert Instruction("COPY", "--from=build /a /b", 1).flags_and_words() == ({"from": "build"}, ["/a", "/b"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it has no FROM"),
        ("RUN true\n", "line 1: RUN before the first FROM"),
        ("FROM a b\n", "line 1: write FROM IMAGE"),
        ("FROM a\nADD x /\n", "line 2: ADD is not known here"),
        ("FROM a\nRUN true \\\n", "line 2: the last line continues"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, message: str, file: Path) -> None:
    file.write_text(text)

    with pytest.raises(DockerfileError, match=message):
        read_dockerfile(file, {})


def test_a_broken_array_is_named() -> None:
    with pytest.raises(DockerfileError, match="line 7: not a JSON array"):
        Instruction("CMD", "['serve']", 7).words()
