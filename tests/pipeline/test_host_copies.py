"""Frames reach the host in order and unchanged. tests/gpu has the same for a GPU."""

from collections.abc import Iterator

import pytest
import torch

from pipelines.ltx.host_copies import copied_to_host

CPU = torch.device("cpu")


def test_a_cpu_hands_each_chunk_on_before_it_decodes_the_next() -> None:
    made: list[int] = []

    def chunks() -> Iterator[torch.Tensor]:
        for i in range(4):
            made.append(i)
            yield torch.full((i + 1, 2, 3), i, dtype=torch.uint8)

    for count, frames in enumerate(copied_to_host(chunks(), CPU), start=1):
        assert (len(frames), set(frames.flat)) == (count, {count - 1})
        assert len(made) == count
    assert made == [0, 1, 2, 3]


def test_an_error_of_the_decoder_is_raised_unchanged() -> None:
    error = torch.OutOfMemoryError("full")

    def chunks() -> Iterator[torch.Tensor]:
        yield torch.zeros(1, 2, 3, dtype=torch.uint8)
        raise error

    copies = copied_to_host(chunks(), CPU)
    next(copies)
    with pytest.raises(torch.OutOfMemoryError) as caught:
        next(copies)
    assert caught.value is error
