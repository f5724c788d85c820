"""Load Gemma 3's tokenizer from a Hugging Face folder, from a sentencepiece model, or from inside a checkpoint.

Prompts are encoded as in the reference: <bos>, no <eos>, no chat template, padded on the left. If a prompt contains
`<bos>` or `<eos>` as text, a sentencepiece model reads it as text, a tokenizer.json as the token of that name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from pipelines.prompt_cut import MAX_TOKENS, PromptCut, excerpt
from weights.checkpoint import Checkpoint
from weights.errors import FileError, UnsupportedError
from weights.gemma import TOKENIZER_TENSOR
from weights.stream import TensorReader

# Every Gemma's vocabulary begins with <pad>, <eos>, <bos>, <unk>.
PAD_ID, BOS_ID = 0, 2


@dataclass(frozen=True)
class PromptTokenizer:
    """A tokenizer for prompts.

    `encode` returns the ids of a text, <bos> first; `decode` returns the text of ids.
    """

    encode: Callable[[str], list[int]]
    decode: Callable[[list[int]], str]

    def __call__(self, prompt: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Return ids and attention mask, both (1, 1024)."""
        ids = self.encode(prompt)[:MAX_TOKENS]
        padding = MAX_TOKENS - len(ids)
        mask = [0] * padding + [1] * len(ids)
        return torch.tensor([[PAD_ID] * padding + ids]), torch.tensor([mask])

    def find_cut(self, prompt: str) -> PromptCut | None:
        """Return what `__call__` leaves out of this prompt, or None if it reads all of it."""
        ids = self.encode(prompt)
        if len(ids) <= MAX_TOKENS:
            return None
        return PromptCut(len(ids), excerpt(self.decode(ids[MAX_TOKENS:])))


def load_tokenizer(path: Path, checkpoint: Checkpoint) -> PromptTokenizer:
    """Load it from inside the checkpoint, else from the folder `path`, or from the folder of the file `path`.

    Raises WeightsError if there is none, or it is not Gemma 3's.
    """
    folder = path if path.is_dir() else path.parent
    model = folder / "tokenizer.model"
    if TOKENIZER_TENSOR in checkpoint.stored:
        return _validated(path, _from_sentencepiece(path, _stored_bytes(checkpoint)))
    if all((folder / name).is_file() for name in ("tokenizer.json", "tokenizer_config.json")):
        return _validated(folder, _from_folder(folder))
    if model.is_file():
        return _validated(model, _from_sentencepiece(model, _read_bytes(model)))
    raise FileError(path, f"has no tokenizer: put Gemma 3's tokenizer.json and tokenizer_config.json, or its "
                          f"tokenizer.model, into {folder}")  # fmt: skip


def _from_folder(folder: Path) -> PromptTokenizer:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except UnicodeEncodeError as exc:
        raise FileError(folder, "is a path that is not UTF-8, which its tokenizer's library needs; rename it") from exc
    except (OSError, ValueError, RuntimeError) as exc:
        raise UnsupportedError(folder, f"its tokenizer cannot be loaded: {exc}") from exc
    return PromptTokenizer(
        # verbose: the caller reports long prompts itself.
        encode=lambda text: list(tokenizer(text, verbose=False).input_ids),
        decode=lambda ids: str(tokenizer.decode(ids, clean_up_tokenization_spaces=False)),
    )


def _from_sentencepiece(path: Path, model: bytes) -> PromptTokenizer:
    """Load it with sentencepiece itself: transformers' conversion omits <bos> and splits runs of blanks differently."""
    from sentencepiece import SentencePieceProcessor

    try:
        processor = SentencePieceProcessor(model_proto=model, add_bos=True)
        processor.encode("")  # the first call that fails on an empty model
    except RuntimeError as exc:
        raise UnsupportedError(path, "its tokenizer is not a sentencepiece model") from exc
    return PromptTokenizer(processor.encode, processor.decode)


def _validated(path: Path, tokenizer: PromptTokenizer) -> PromptTokenizer:
    """Return the tokenizer. Raises UnsupportedError unless it adds <bos>.

    Without <bos> Gemma's hidden states are useless, and nothing else would show it.
    """
    if (ids := tokenizer.encode("")) != [BOS_ID]:
        raise UnsupportedError(
            path, f"its tokenizer is not Gemma 3's: an empty prompt is {ids}, not [{BOS_ID}] (<bos>)"
        )
    return tokenizer


def _stored_bytes(checkpoint: Checkpoint) -> bytes:
    with TensorReader(checkpoint) as reader:
        return bytes(reader.read(TOKENIZER_TENSOR, torch.device("cpu")).numpy())


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise FileError(path, f"cannot be read: {exc.strerror or exc}") from exc
