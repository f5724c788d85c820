"""Clips that are signed with an operator's key, as C2PA's own reader finds them."""

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import c2pa
import pytest

from pipelines.direction import Continuation
from pipelines.errors import ProvenanceError
from pipelines.media.probe import verify_clip
from pipelines.media.provenance import Signer
from pipelines.spec import Container, GenerationSpec
from tests.media.certificates import SigningFiles, ed25519_key, write_signing_files
from tests.media.clips import write_clip

SPEC = GenerationSpec("a secret fox", 0, 256, 256, 33, Fraction(24))


@pytest.fixture
def files(tmp_path: Path) -> SigningFiles:
    return write_signing_files(tmp_path)


def read(path: Path) -> dict[str, Any]:
    """Return the active manifest of a file whose signature holds. Nobody trusts the test's own authority."""
    with c2pa.Reader(str(path)) as reader:
        found = json.loads(reader.json())
    assert found["validation_state"] == "Valid"
    return found["manifests"][found["active_manifest"]]


def actions(path: Path) -> list[dict[str, Any]]:
    [assertion] = [a for a in read(path)["assertions"] if a["label"] == "c2pa.actions.v2"]
    return assertion["data"]["actions"]


@pytest.mark.parametrize("key", [lambda: None, ed25519_key], ids=["P-256", "Ed25519"])
def test_a_clip_is_signed_and_plays(key: Callable[[], Any], tmp_path: Path) -> None:
    signer = Signer(*write_signing_files(tmp_path, key()))
    clip = write_clip(tmp_path / "clip.mp4")

    signer.sign(clip, SPEC)

    verify_clip(clip, SPEC)
    [action] = actions(clip)
    assert (action["action"], action["digitalSourceType"].rpartition("/")[2]) == (
        "c2pa.created",
        "trainedAlgorithmicMedia",
    )
    assert b"a secret fox" not in clip.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["certificates.pem", "clip.mp4", "key.pem"]


def test_a_clip_that_is_made_from_another_one_says_so(files: SigningFiles, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4")

    Signer(*files).sign(clip, replace(SPEC, source=Continuation(clip, 17), num_frames=25))

    assert actions(clip)[0]["digitalSourceType"].endswith("compositeWithTrainedAlgorithmicMedia")


def test_a_clip_that_was_changed_is_found(files: SigningFiles, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4")
    Signer(*files).sign(clip, SPEC)
    data = bytearray(clip.read_bytes())
    data[-100] ^= 1
    clip.write_bytes(data)

    with c2pa.Reader(str(clip)) as reader:
        assert json.loads(reader.json())["validation_state"] == "Invalid"


def test_a_webm_stays_as_it_is(files: SigningFiles, tmp_path: Path) -> None:
    path = tmp_path / "clip.webm"
    path.write_bytes(b"any")

    Signer(*files).sign(path, replace(SPEC, container=Container.WEBM))

    assert path.read_bytes() == b"any"


def test_a_file_that_cannot_be_signed_is_an_error_and_stays(files: SigningFiles, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"no clip")

    with pytest.raises(ProvenanceError, match="the clip cannot be signed"):
        Signer(*files).sign(path, SPEC)
    assert path.read_bytes() == b"no clip"
    assert len(list(tmp_path.iterdir())) == 3


def test_files_that_cannot_sign_are_refused_by_name(files: SigningFiles, tmp_path: Path) -> None:
    (other := tmp_path / "other").mkdir()
    another = write_signing_files(other)
    text = tmp_path / "text.pem"
    text.write_text("no key")

    for certificate, key, message in (
        (files.certificate, another.key, "is not the key of the first certificate"),
        (text, files.key, "text.pem should hold certificates in PEM"),
        (files.certificate, text, "text.pem should be a private key in PEM without a password"),
        (tmp_path / "none.pem", files.key, "none.pem cannot be read: No such file"),
    ):
        with pytest.raises(ProvenanceError, match=message):
            Signer(certificate, key)
