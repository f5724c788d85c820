"""Encode a prompt to the context that the transformer attends to: Gemma 3's hidden states through the connectors."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from pipelines.ltx.tokenizer import PromptTokenizer
from pipelines.prompt_cut import PromptCut

# A context is 12.6 MB at full size.
CACHED_CONTEXTS = 16


@dataclass(frozen=True, eq=False)
class Context:
    """Text embeddings by modality. The connectors fill padding with registers, so there is no mask."""

    video: torch.Tensor  # (1, 1024, D)
    audio: torch.Tensor  # (1, 1024, D_audio)


class PromptEncoder:
    """Encodes prompts and caches the contexts of the last ones, but not their hidden states.

    connectors_key: identifies what LoRAs add to the connectors; a context of another key is another one.
    """

    def __init__(
        self, tokenizer: PromptTokenizer, text_encoder: Any, connectors: nn.Module, device: torch.device
    ) -> None:
        self._tokenizer, self._text_encoder, self._connectors = tokenizer, text_encoder, connectors
        self._device = device
        self.connectors_key: Hashable = None
        self._contexts: OrderedDict[Hashable, Context] = OrderedDict()

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        return (self._text_encoder, self._connectors)

    def __call__(self, prompt: str) -> Context:
        prompt = prompt.strip()
        key = (prompt, self.connectors_key)
        if key not in self._contexts:
            self._contexts[key] = self._encode(prompt)
            if len(self._contexts) > CACHED_CONTEXTS:
                self._contexts.popitem(last=False)
        self._contexts.move_to_end(key)
        return self._contexts[key]

    def find_cut(self, prompt: str) -> PromptCut | None:
        """Return what is left out of this prompt, or None if all of it is read. May be called from any thread."""
        return self._tokenizer.find_cut(prompt.strip())

    def _encode(self, prompt: str) -> Context:
        ids, mask = (tensor.to(self._device) for tensor in self._tokenizer(prompt))
        # No token is generated, so keys and values are not needed.
        output = self._text_encoder(input_ids=ids, attention_mask=mask, output_hidden_states=True, use_cache=False)
        stacked = torch.stack(output.hidden_states, dim=-1)  # (1, 1024, C, layers + 1)
        del output  # 385 MB at full size, and the connectors want four times as much
        video, audio, _ = self._connectors(stacked, mask)
        return Context(video, audio)
