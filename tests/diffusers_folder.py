"""A model as a diffusers folder, written by diffusers itself, like the published one."""

import json
from pathlib import Path
from typing import Any

import torch

from pipelines.bench.stock_flow import stock_pipeline
from pipelines.ltx.components import load_components
from pipelines.ltx.models import WeightFiles


def write_folder(files: WeightFiles, folder: Path) -> Path:
    """Write the values of `files` in BF16, except for the tables, in shards that split the transformer."""
    from diffusers.utils import logging
    from transformers import AutoTokenizer, Gemma3ForConditionalGeneration

    logging.disable_progress_bar()
    components = load_components(files, torch.device("cpu"), torch.float32)
    text_encoder = Gemma3ForConditionalGeneration.from_pretrained(files.text_encoder, dtype=torch.bfloat16)
    for module in components.modules():
        for name, parameter in module.named_parameters():
            if "scale_shift_table" not in name:
                parameter.data = parameter.data.to(torch.bfloat16)
    tokenizer = AutoTokenizer.from_pretrained(files.text_encoder)
    pipeline = stock_pipeline(components, text_encoder=text_encoder, tokenizer=tokenizer)
    pipeline.save_pretrained(folder, max_shard_size="2MB")
    assert components.upsampler is not None
    components.upsampler.save_pretrained(folder / "latent_upsampler")
    # The published folder lacks this, because its conversion lost it.
    change_json(folder / "vocoder" / "config.json", final_act_fn=None)
    return folder


def change_json(path: Path, **changes: Any) -> None:
    """Change a JSON object; a key with the value `...` is removed."""
    merged = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in merged.items() if value is not ...}))


def copy_folder(source: Path, target: Path) -> Path:
    """Copy configs and indices, and link to the tensors."""
    for path in source.rglob("*"):
        copy = target / path.relative_to(source)
        if path.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == ".safetensors":
                copy.symlink_to(path)
            else:
                copy.write_bytes(path.read_bytes())
    return target
