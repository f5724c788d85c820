"""Attention with gated heads.

Source: Lightricks/LTX-2, ltx_core/model/transformer/attention.py.
"""

from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from pipelines.ltx.fp8 import project
from pipelines.ltx.transformer.guidance import guide
from pipelines.ltx.transformer.linear import Linear
from pipelines.ltx.transformer.rope import RotaryTable, rotate


class KeysValues(NamedTuple):
    """The keys and values of a context by head, each (1, H, T, d)."""

    keys: torch.Tensor
    values: torch.Tensor


class GuidedKeysValues(NamedTuple):
    """The keys and values of a prompt, and of the negative prompt that guidance leads away from."""

    keys: torch.Tensor
    values: torch.Tensor
    negative_keys: torch.Tensor
    negative_values: torch.Tensor

    @property
    def prompt(self) -> KeysValues:
        return KeysValues(self.keys, self.values)

    @property
    def negative(self) -> KeysValues:
        return KeysValues(self.negative_keys, self.negative_values)


class Attention(nn.Module):
    """Attention with queries and keys normed over all heads together, and a gate for each token and head.

    A gate is twice a sigmoid, so that a logit of 0 changes nothing.
    """

    def __init__(self, width: int, context_width: int, heads: int, head_dim: int, eps: float) -> None:
        super().__init__()
        self._heads = heads
        inner = heads * head_dim
        self.to_q = Linear(width, inner)
        self.to_k = Linear(context_width, inner)
        self.to_v = Linear(context_width, inner)
        self.to_gate_logits = Linear(width, heads)
        self.to_out = nn.ModuleList([Linear(inner, width)])
        self.q_norm = nn.RMSNorm(inner, eps)
        self.k_norm = nn.RMSNorm(inner, eps)

    def forward(self, x: torch.Tensor, table: RotaryTable) -> torch.Tensor:
        """Attend from (F, P, D) to itself."""
        query, key, value, gates = project(x, self.to_q, self.to_k, self.to_v, self.to_gate_logits)
        return self._project_out(attend(self._queries(query, table), self._keys_values(key, value, table)), gates)

    def attend_to(self, context: KeysValues, x: torch.Tensor, table: RotaryTable | None = None) -> torch.Tensor:
        """Attend from (F, P, D) to a context."""
        query, gates = project(x, self.to_q, self.to_gate_logits)
        return self._project_out(attend(self._queries(query, table), context), gates)

    def attend_guided(self, context: GuidedKeysValues, x: torch.Tensor, strengths: torch.Tensor) -> torch.Tensor:
        """Attend from (F, P, D) to a prompt, and lead away from a negative one. strengths: as for `guide`."""
        query, gates = project(x, self.to_q, self.to_gate_logits)
        queries = self._queries(query)
        found, avoided = attend(queries, context.prompt), attend(queries, context.negative)
        return self._project_out(guide(found, avoided, strengths), gates)

    def keys_values(self, context: torch.Tensor, table: RotaryTable | None = None) -> KeysValues:
        """Project a context, (F, P, D of the context)."""
        key, value = project(context, self.to_k, self.to_v)
        return self._keys_values(key, value, table)

    def _queries(self, query: torch.Tensor, table: RotaryTable | None = None) -> torch.Tensor:
        return self._by_head(self.q_norm(query), table)

    def _keys_values(self, key: torch.Tensor, value: torch.Tensor, table: RotaryTable | None) -> KeysValues:
        return KeysValues(self._by_head(self.k_norm(key), table), self._by_head(value))

    def _by_head(self, x: torch.Tensor, table: RotaryTable | None = None) -> torch.Tensor:
        """Rearrange (F, P, H * d) to (1, H, T, d), each head turned by the angles of its token."""
        heads = x.view(-1, self._heads, x.shape[-1] // self._heads)
        return (heads if table is None else rotate(heads, table)).transpose(0, 1).unsqueeze(0)

    def _project_out(self, heads: torch.Tensor, gates: torch.Tensor) -> torch.Tensor:
        gated = heads.view(*gates.shape, -1) * (2 * gates.sigmoid()).unsqueeze(-1)  # (F, P, H, d)
        output: torch.Tensor = self.to_out[0](gated.flatten(-2))
        return output


def attend(queries: torch.Tensor, context: KeysValues) -> torch.Tensor:
    """Return what each head finds in a context, (T, H, d)."""
    return F.scaled_dot_product_attention(queries, *context)[0].transpose(0, 1)
