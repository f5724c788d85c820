"""Reading headers: what is not a whole safetensors file is refused with its name."""

import struct
from pathlib import Path

import pytest

from weights.errors import FileError
from weights.header import read_header
from weights.tiny import TinyFiles


def test_reads_names_shapes_and_metadata(tiny: TinyFiles) -> None:
    header = read_header(tiny.checkpoint)

    info = header.tensors["model.diffusion_model.scale_shift_table"]
    assert (info.dtype, info.shape, info.size_bytes) == ("F32", (2, 48), 2 * 48 * 4)
    assert header.metadata["model_version"] == "2.3.0"


BROKEN = {
    "empty": b"",
    "pickle": b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00}\x94.",
    "header longer than the file": struct.pack("<Q", 10**6) + b"{}",
    "header is not JSON": struct.pack("<Q", 4) + b"nope",
    "header is a list": struct.pack("<Q", 2) + b"[]",
    "unknown dtype": struct.pack("<Q", 55) + b'{"a":{"dtype":"F3","shape":[],"data_offsets":[0,4]}}   ' + b"0000",
    "size is not that of the shape": struct.pack("<Q", 53)
    + b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}'[:53],
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_refuses_what_is_not_safetensors(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(content)

    with pytest.raises(FileError, match=str(path)):
        read_header(path)


def test_refuses_a_file_that_is_cut_short(tiny: TinyFiles, tmp_path: Path) -> None:
    path = tmp_path / "cut.safetensors"
    path.write_bytes(tiny.checkpoint.read_bytes()[:-1])

    with pytest.raises(FileError, match="cut short"):
        read_header(path)


def test_says_when_there_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="No such file"):
        read_header(tmp_path / "absent.safetensors")


def test_says_when_it_is_a_folder(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="is a folder"):
        read_header(tmp_path)
