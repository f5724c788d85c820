"""Small Gemma 3 models in every published form, and their results in transformers."""

import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from sentencepiece import SentencePieceTrainer
from torch import nn
from transformers import Gemma3ForConditionalGeneration

from pipelines.ltx.tokenizer import PromptTokenizer
from weights.tiny import byte_tokenizer, gemma_config

CPU = torch.device("cpu")

# As in text_config of google/gemma-3-12b-it, with small sizes. Every sixth layer has full attention.
TEXT_CONFIG = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "sliding_window": 1024,
    "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
    "query_pre_attn_scalar": 256,
}
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")

Tensors = dict[str, torch.Tensor]


def write_gemma(folder: Path, **text_config: Any) -> Path:
    """Write a Hugging Face folder in BF16 as transformers does, with the older names and random norms."""
    tokenizer = byte_tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        # transformers changes these arguments in place.
        config = gemma_config(tokenizer, json.loads(json.dumps(TEXT_CONFIG | text_config)))
        model = Gemma3ForConditionalGeneration(config)
        for parameter in model.parameters():
            nn.init.normal_(parameter, std=0.2)
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def copy_of(folder: Path, target: Path, tensors: Tensors | None = None) -> Path:
    """Copy a folder, with other tensors if given."""
    target.mkdir()
    for file in folder.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    if tensors is not None:
        save_file(tensors, target / "model.safetensors", {"format": "pt"})
    return target


def tensors_of(folder: Path) -> Tensors:
    return load_file(folder / "model.safetensors")


def renamed(tensors: Tensors, rules: Mapping[str, str]) -> Tensors:
    """Rename tensors. `rules` maps patterns of a name's beginning to replacements; the first match is used."""
    found = {}
    for name, tensor in tensors.items():
        pattern = next(pattern for pattern in rules if re.match(pattern, name))
        found[re.sub(f"^{pattern}", rules[pattern], name)] = tensor
    return found


def new_names(tensors: Tensors) -> Tensors:
    rules = {r"language_model\.model\.": "model.language_model.", "": "model."}
    return renamed(tensors, rules) | {"lm_head.weight": tensors["language_model.model.embed_tokens.weight"].clone()}


def single_file_names(tensors: Tensors) -> Tensors:
    return renamed(tensors, {r"language_model\.": "", r"vision_tower\.": "vision_model.", "": ""})


def comfy_fp8(tensors: Tensors, **extra: torch.Tensor) -> Tensors:
    """Quantize every matrix of the layers to FP8, with Comfy's marker and a scale that makes its largest value 448."""
    found: Tensors = dict(extra)
    marker = torch.tensor(list(b'{"format": "float8_e4m3fn"}'), dtype=torch.uint8)
    for name, tensor in single_file_names(tensors).items():
        found[name] = tensor
        if name.startswith("model.layers.") and tensor.dim() == 2:
            layer, scale = name.removesuffix(".weight"), tensor.abs().amax().float() / 448
            found[name] = (tensor.float() / scale).to(torch.float8_e4m3fn)
            found |= {f"{layer}.weight_scale": scale, f"{layer}.comfy_quant": marker.clone()}
    return found


def train_sentencepiece(sentences: list[str], vocab_size: int) -> bytes:
    """Train a model with Gemma's settings and special tokens."""
    model = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(sentences),
        model_writer=model,
        model_type="bpe",
        vocab_size=vocab_size,
        byte_fallback=True,
        split_digits=True,
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        normalization_rule_name="identity",
        pad_id=0,
        eos_id=1,
        bos_id=2,
        unk_id=3,
        pad_piece="<pad>",
        eos_piece="<eos>",
        bos_piece="<bos>",
        unk_piece="<unk>",
        user_defined_symbols=["<mask>", "<start_of_turn>", "<end_of_turn>", "\n", "\n\n"],
        minloglevel=2,
    )
    return model.getvalue()


@torch.inference_mode()
def hidden_states(model: nn.Module, tokenizer: PromptTokenizer, prompt: str = "a red fox runs") -> torch.Tensor:
    """Return (1, 1024, C, layers + 1)."""
    ids, mask = tokenizer(prompt)
    states = model(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
    return torch.stack(states, dim=-1)


@torch.inference_mode()
def expected_states(folder: Path, dtype: torch.dtype, prompt: str = "a red fox runs") -> torch.Tensor:
    """Compute the states with transformers alone: the whole multimodal model, and the tokenizer's padding."""
    model = Gemma3ForConditionalGeneration.from_pretrained(folder, dtype=dtype).eval()
    tokens = byte_tokenizer()(prompt, padding="max_length", max_length=1024, return_tensors="pt")
    return torch.stack(model.model(**tokens, output_hidden_states=True).hidden_states, dim=-1)
