"""Read headers; a file that is not a complete safetensors file is refused by name."""

import contextlib
import json
import os
import socket
import struct
from pathlib import Path
from typing import Any

import pytest

from server.cli import main
from tests.diffusers_folder import copy_folder
from weights.errors import FileError
from weights.header import read_header
from weights.inspect import inspect
from weights.tiny import TinyFiles


def test_names_shapes_and_metadata_are_read(tiny: TinyFiles) -> None:
    header = read_header(tiny.checkpoint)

    info = header.tensors["model.diffusion_model.scale_shift_table"]
    assert (info.dtype, info.shape, info.size_bytes) == ("F32", (2, 160), 2 * 160 * 4)
    assert header.metadata["model_version"] == "2.3.0"


def file_of(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def tensors(*ranges: tuple[int, int]) -> dict[str, Any]:
    """Return header entries named a, b, ... at these offsets."""
    return {
        chr(ord("a") + i): {"dtype": "U8", "shape": [end - begin], "data_offsets": [begin, end]}
        for i, (begin, end) in enumerate(ranges)
    }


def entry(**changes: Any) -> dict[str, Any]:
    return {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} | changes}


# Files of other formats: the content, and the start of the message.
FOREIGN = {
    "nothing": (b"", "is empty"),
    "GGUF": (b"GGUF\x03\x00\x00\x00" + bytes(40), "is a GGUF file"),
    "LFS pointer": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0a1d\nsize 25226571988\n",
        "is a Git LFS pointer",
    ),
    "HTML": (b"\n<!DOCTYPE html><html><title>Sign in</title>", "is an HTML page"),
    "HTML without a doctype": (b"<html><body>502 Bad Gateway", "is an HTML page"),
    "XML": (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "is an HTML page"),
    "JSON": (b'{"error": "Repository not found"}', "is JSON, such as a web server's error ('{\"error\": "),
    "index of shards": (b'{"metadata": {}, "weight_map": {}}', "is the index of a model's shards; give the folder"),
    "text": (b"Invalid username or password.", "is a text file ('Invalid username or password.')"),
    "zip of a pickle": (b"PK\x03\x04\x00\x00" + bytes(60), "is a zip archive, such as a PyTorch checkpoint (.ckpt"),
    "pickle": (b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00}\x94.", "is a pickle (.ckpt, .pt, .bin), which can run"),
    "gzip": (b"\x1f\x8b\x08\x00" + bytes(20), "is compressed by gzip"),
    "tar": (bytes(257) + b"ustar\x0000" + bytes(248), "is a tar archive"),
    "zeros": (bytes(4096), "begins with zeros"),
    "noise": (bytes(range(200, 256)), "is not a safetensors file"),
}

DEEP = b"[" * 100_000
HUGE = "9" * 4000

# Headers by a hostile or faulty writer: the content, and a part of the message.
DAMAGED = {
    "header longer than the file": (struct.pack("<Q", 10**6) + b"{}", "is cut short inside its header"),
    "header longer than any": (struct.pack("<Q", 2**64 - 1) + b"{}", "is not a safetensors file"),
    "eight bytes": (struct.pack("<Q", 10), "is not a safetensors file"),
    "header is not JSON": (file_of(b"{nope"), "its header is not JSON"),
    "header is not UTF-8": (file_of(b'{"\xff": 1}'), "its header is not JSON"),
    "header is UTF-16": (file_of("{}".encode("utf-16-le")), "its header is not JSON"),
    "nested lists": (file_of(b'{"a": ' + DEEP), "its header is nested too deep"),
    "nested objects": (file_of(b'{"a":' * 100_000), "its header is nested too deep"),
    "more digits than Python reads": (file_of(b'{"a": ' + b"9" * 5000 + b"}"), "its header is not JSON"),
    "key twice": (file_of(b'{"a": {}, "a": {}}'), "has the key 'a' twice"),
    "dtype twice": (file_of(b'{"a": {"dtype": "F32", "dtype": "BF16"}}'), "has the key 'dtype' twice"),
    "metadata is a number": (file_of({"__metadata__": 1}), "its metadata is not a JSON object"),
    "metadata is a list": (file_of({"__metadata__": ["config"]}), "its metadata is not a JSON object"),
    "metadata value is a number": (file_of({"__metadata__": {"steps": 100}}), "its metadata 'steps' is not text"),
    "metadata value is null": (file_of({"__metadata__": {"steps": None}}), "its metadata 'steps' is not text"),
    "metadata value is an object": (file_of({"__metadata__": {"config": {}}}), "its metadata 'config' is not text"),
    "entry is a number": (file_of({"a": 1}), "tensor 'a' has no dtype, shape and data_offsets"),
    "entry lacks its dtype": (file_of({"a": {"shape": [], "data_offsets": [0, 4]}}), "tensor 'a' has no dtype"),
    "unknown dtype": (file_of(entry(dtype="F3"), bytes(4)), "tensor 'a' has the dtype 'F3', which is not known here"),
    "dtype is a list": (file_of(entry(dtype=[]), bytes(4)), "tensor 'a' has a dtype that is not text"),
    "shape is a number": (file_of(entry(shape=1), bytes(4)), "tensor 'a' has a shape that no tensor has"),
    "negative shape": (file_of(entry(shape=[-1]), bytes(4)), "tensor 'a' has a shape that no tensor has"),
    "fractional shape": (file_of(entry(shape=[1.0]), bytes(4)), "tensor 'a' has a shape that no tensor has"),
    "boolean shape": (file_of(entry(shape=[True]), bytes(4)), "tensor 'a' has a shape that no tensor has"),
    "shape of 4,000 digits": (
        file_of(json.dumps(entry()).replace("[1]", f"[{HUGE}, {HUGE}]").encode(), bytes(4)),
        "tensor 'a' has a shape that no tensor has",
    ),
    "many dimensions": (file_of(entry(shape=[2**62] * 100_000), bytes(4)), "tensor 'a' has a shape that no tensor has"),
    "offsets of 4,000 digits": (
        file_of(json.dumps(entry()).replace("[0, 4]", f"[{HUGE}, {HUGE}]").encode(), bytes(4)),
        "tensor 'a' has data_offsets that are not two places in the file",
    ),
    "three offsets": (file_of(entry(data_offsets=[0, 4, 8]), bytes(4)), "data_offsets that are not two places"),
    "negative offsets": (file_of(entry(data_offsets=[-4, 0]), bytes(4)), "data_offsets that are not two places"),
    "offsets backwards": (file_of(entry(data_offsets=[4, 0]), bytes(4)), "data_offsets that are not two places"),
    "offsets are text": (file_of(entry(data_offsets="04"), bytes(4)), "data_offsets that are not two places"),
    "size is not that of the shape": (
        file_of(entry(shape=[2]), bytes(4)),
        "tensor 'a' takes 4 bytes, its shape needs 8",
    ),
    "overlap": (file_of(tensors((0, 8), (4, 12)), bytes(12)), "tensors 'a' and 'b' overlap"),
    "same place": (file_of(tensors((0, 8), (0, 8)), bytes(8)), "tensors 'a' and 'b' overlap"),
    "hole": (file_of(tensors((0, 4), (8, 12)), bytes(12)), "4 bytes before tensor 'b' belong to no tensor"),
    "hole at the start": (file_of(tensors((4, 8)), bytes(8)), "the bytes before tensor 'a' belong to no tensor"),
    "beyond the file": (file_of(tensors((0, 8)), bytes(7)), "is cut short: 8 bytes of tensors announced, 7 there"),
    "trailing bytes": (file_of(tensors((0, 8)), bytes(13)), "has 5 bytes after its last tensor"),
    "trailing bytes alone": (file_of({}, b"x"), "has 1 bytes after its last tensor"),
}


@pytest.mark.parametrize("what", [*FOREIGN, *DAMAGED])
def test_an_invalid_file_is_refused_in_one_line(what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content, message = (FOREIGN | DAMAGED)[what]
    path = tmp_path / "weights.safetensors"
    path.write_bytes(content)

    assert main(["weights", "inspect", str(path)]) == 1

    captured = capsys.readouterr()
    [line] = captured.err.splitlines()
    assert captured.out == ""
    assert line.startswith(f"ltx23: error: {path}: ")
    assert message in line
    assert len(line) < 400


@pytest.mark.parametrize("what", ["GGUF", "key twice", "nested lists", "overlap"])
@pytest.mark.parametrize("option", ["--checkpoint", "--text-encoder", "--upscaler", "--video-vae"])
def test_every_weight_option_refuses_an_invalid_file(
    option: str, what: str, tiny: TinyFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content, message = (FOREIGN | DAMAGED)[what]
    path = tmp_path / "weights.safetensors"
    path.write_bytes(content)
    files = {"--checkpoint": tiny.checkpoint, "--text-encoder": tiny.text_encoder, "--upscaler": tiny.upsampler}
    weights = [str(word) for pair in (files | {option: path}).items() for word in pair]

    assert main(["generate", "--prompt", "x", "-o", str(tmp_path / "clip.mp4"), *weights]) == 1

    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"ltx23: error: {path}: ")
    assert message in line


@pytest.mark.parametrize("kind", ["FIFO", "socket"])
@pytest.mark.parametrize("name", ["weights.safetensors", "config.json"])
def test_a_fifo_or_socket_is_refused_at_once(kind: str, name: str, tiny_folder: Path, tmp_path: Path) -> None:
    """`config.json` is that of a component in a diffusers folder."""
    folder = copy_folder(tiny_folder, tmp_path / "f")
    path = tmp_path / name if name.endswith("tensors") else folder / "vae" / name
    path.unlink(missing_ok=True)
    if kind == "FIFO":
        os.mkfifo(path)
    else:
        # A socket's path may be no longer than 107 characters.
        with contextlib.chdir(path.parent), socket.socket(socket.AF_UNIX) as listener:
            listener.bind(name)

    with pytest.raises(FileError, match=rf"{path}: is a {kind}; a .* file is needed"):
        inspect(path if path.parent == tmp_path else folder)


def test_tensors_may_be_listed_in_any_order_and_be_empty(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(file_of({"__metadata__": None} | tensors((4, 8), (0, 4), (4, 4), (8, 8)), b"abcdefgh"))

    assert set(read_header(path).tensors) == {"a", "b", "c", "d"}


def test_a_truncated_file_is_refused(tiny: TinyFiles, tmp_path: Path) -> None:
    path = tmp_path / "cut.safetensors"
    path.write_bytes(tiny.checkpoint.read_bytes()[:-1])

    with pytest.raises(FileError, match="cut short"):
        read_header(path)


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="No such file"):
        read_header(tmp_path / "absent.safetensors")


def test_a_folder_in_place_of_a_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="is a folder"):
        read_header(tmp_path)
