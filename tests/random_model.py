"""A model of the tiny model's size whose weights are random: its values depend on all weights, and on all their digits.

For tests of arithmetic. The tiny model's own weights are mostly 0.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from weights.published import published_tensors, upsampler_tensors
from weights.tiny import TINY_GEMMA, TinyFiles, byte_tokenizer, gemma_config, random_tensors, stored
from weights.tiny_config import CHECKPOINT_CONFIG, TEXT_LAYERS, UPSAMPLER_CONFIG


def write_random_model(folder: Path) -> TinyFiles:
    from transformers import Gemma3ForConditionalGeneration

    files = TinyFiles(folder / "random.safetensors", folder / "upscaler.safetensors", folder / "text_encoder")
    infos = published_tensors(CHECKPOINT_CONFIG, TEXT_LAYERS + 1)
    metadata = {"config": json.dumps(CHECKPOINT_CONFIG), "model_version": "2.3.0", "format": "pt"}
    save_file(stored(random_tensors(infos, seed=23), infos), files.checkpoint, metadata)
    infos = upsampler_tensors(UPSAMPLER_CONFIG)
    metadata = {"config": json.dumps(UPSAMPLER_CONFIG), "format": "pt"}
    save_file(stored(random_tensors(infos, seed=24), infos), files.upsampler, metadata)
    tokenizer = byte_tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(25)
        model = Gemma3ForConditionalGeneration(gemma_config(tokenizer, TINY_GEMMA))
    model.to(torch.bfloat16).save_pretrained(files.text_encoder)
    tokenizer.save_pretrained(files.text_encoder)
    return files
