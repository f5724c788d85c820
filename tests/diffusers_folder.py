"""A model as a diffusers folder, written by diffusers itself, like the published one."""

import json
from pathlib import Path
from typing import Any

import torch

from pipelines.bench.stock import diffusers_transformer
from pipelines.ltx.components import load_components
from pipelines.ltx.models import WeightFiles

# From diffusers/LTX-2.3-Distilled-Diffusers.
SCHEDULER = {
    "use_dynamic_shifting": False,
    "base_shift": 0.95,
    "max_shift": 2.05,
    "base_image_seq_len": 1024,
    "max_image_seq_len": 4096,
    "shift_terminal": None,
}


def write_folder(files: WeightFiles, folder: Path) -> Path:
    """Write the values of `files` in BF16, except for the tables, in shards that split the transformer."""
    from diffusers import FlowMatchEulerDiscreteScheduler
    from diffusers.pipelines.ltx2 import LTX2Pipeline
    from diffusers.utils import logging
    from transformers import AutoTokenizer, Gemma3ForConditionalGeneration

    logging.disable_progress_bar()
    components = load_components(files, torch.device("cpu"), torch.float32)
    _, connectors = components.encode_prompt.modules
    text_encoder = Gemma3ForConditionalGeneration.from_pretrained(files.text_encoder, dtype=torch.bfloat16)
    for module in components.modules():
        for name, parameter in module.named_parameters():
            if "scale_shift_table" not in name:
                parameter.data = parameter.data.to(torch.bfloat16)
    LTX2Pipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(**SCHEDULER),
        vae=components.video_vae,
        audio_vae=components.audio_vae,
        text_encoder=text_encoder,
        tokenizer=AutoTokenizer.from_pretrained(files.text_encoder),
        connectors=connectors,
        transformer=diffusers_transformer(components.transformer),
        vocoder=components.vocoder,
    ).save_pretrained(folder, max_shard_size="200KB")
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
