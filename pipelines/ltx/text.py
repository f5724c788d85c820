"""A prompt to the context the transformer attends to: Gemma 3's hidden states through the connectors."""

import json
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from weights.errors import FileError, TensorError, UnsupportedError

if TYPE_CHECKING:
    from transformers import Gemma3ForConditionalGeneration, PreTrainedTokenizerBase

# Lightricks/LTX-2, ltx_core: the context has this many rows whatever the prompt.
MAX_TOKENS = 1024

# A context is 12.6 MB at full size.
CACHED_CONTEXTS = 16


@dataclass(frozen=True)
class Context:
    """Text embeddings by modality. The connectors fill padding with registers, so there is no mask to carry."""

    video: torch.Tensor  # (1, 1024, D)
    audio: torch.Tensor  # (1, 1024, D_audio)


@dataclass(frozen=True)
class TextWidth:
    """What a checkpoint's projections were trained on; Gemma 3 12B has 48 layers of width 3840."""

    hidden_size: int
    num_layers: int


def load_text_encoder(
    folder: Path, wanted: TextWidth, device: torch.device, dtype: torch.dtype, tokenizer_folder: Path | None = None
) -> tuple["PreTrainedTokenizerBase", "Gemma3ForConditionalGeneration"]:
    """Gemma 3 from a Hugging Face folder, and its tokenizer from there or from a folder of its own.

    Raises WeightsError when it is another size than wanted, or a weight is missing, which transformers itself would
    leave at a random value.
    """
    from transformers import AutoTokenizer, Gemma3ForConditionalGeneration
    from transformers.utils import logging

    logging.disable_progress_bar()
    _validate_width(folder, wanted)
    try:
        tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder or folder, local_files_only=True)
        model, info = Gemma3ForConditionalGeneration.from_pretrained(
            folder, local_files_only=True, dtype=dtype, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError) as exc:
        raise UnsupportedError(folder, f"cannot be loaded as Gemma 3: {exc}") from exc
    _validate_loaded(folder, info)
    return tokenizer, model.to(device).requires_grad_(False).eval()


def read_text_width(folder: Path) -> TextWidth:
    """From its config.json. Raises WeightsError when the folder is none of Gemma 3's."""
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text())
        text = config.get("text_config", config)
        return TextWidth(text["hidden_size"], text["num_hidden_layers"])
    except OSError as exc:
        raise FileError(folder, "is not a Hugging Face folder (no config.json); Gemma 3 12B is needed") from exc
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise UnsupportedError(folder, f"its config.json is not Gemma 3's: {exc!r}") from exc


def _validate_width(folder: Path, wanted: TextWidth) -> None:
    found = read_text_width(folder)
    if found != wanted:
        raise UnsupportedError(folder, f"has {found.num_layers} layers of width {found.hidden_size}; the checkpoint "
                                       f"needs {wanted.num_layers} of width {wanted.hidden_size}")  # fmt: skip


def _validate_loaded(folder: Path, info: dict[str, Any]) -> None:
    missing = sorted(name for name in info["missing_keys"] if not name.startswith("lm_head"))
    if missing:
        raise TensorError(f"{folder}: missing tensor {missing[0]!r} and {len(missing) - 1} more of Gemma 3")
    if info["mismatched_keys"]:
        raise TensorError(f"{folder}: mis-shaped {sorted(map(str, info['mismatched_keys']))[0]}; see its config.json")


class PromptEncoder:
    """Encodes a prompt once: the context of the last prompts is kept, the hidden states are not."""

    def __init__(self, tokenizer: Any, text_encoder: Any, connectors: nn.Module) -> None:
        self._tokenizer, self._text_encoder, self._connectors = tokenizer, text_encoder, connectors
        self._contexts: OrderedDict[str, Context] = OrderedDict()

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        return (self._text_encoder, self._connectors)

    def __call__(self, prompt: str) -> Context:
        prompt = prompt.strip()
        if prompt not in self._contexts:
            self._contexts[prompt] = self._encode(prompt)
            if len(self._contexts) > CACHED_CONTEXTS:
                self._contexts.popitem(last=False)
        self._contexts.move_to_end(prompt)
        return self._contexts[prompt]

    def _encode(self, prompt: str) -> Context:
        # <bos>, no <eos>, no chat template, padded on the left.
        self._tokenizer.padding_side = "left"
        tokens = self._tokenizer(
            prompt, padding="max_length", max_length=MAX_TOKENS, truncation=True, return_tensors="pt"
        ).to(self._text_encoder.device)
        # The inner model: logits over the vocabulary are for nothing here.
        states = self._text_encoder.model(
            input_ids=tokens.input_ids, attention_mask=tokens.attention_mask, output_hidden_states=True
        ).hidden_states
        stacked = torch.stack(states, dim=-1)  # (1, 1024, C, layers + 1)
        video, audio, _ = self._connectors(stacked, tokens.attention_mask)
        return Context(video, audio)
