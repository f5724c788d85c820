"""LTX-2.3 22B as published, without its files: every tensor's name and shape, and nothing behind them."""

import json
from pathlib import Path

from weights.architecture import upsampler_kwargs
from weights.checkpoint import open_checkpoint, open_single
from weights.full_config import TEXT_LAYERS, UPSAMPLER, full_config
from weights.header import Header
from weights.names import UPSAMPLER as UPSAMPLER_NAMES
from weights.published import published_tensors, upsampler_tensors
from weights.source import Source, one_file_source


def full_source() -> Source:
    """In BF16; which of its layers the FP8 files hold in FP8 is what `use_fp8` makes of them."""
    config = full_config()
    header = Header(Path("LTX-2.3 22B"), {"config": json.dumps(config)}, published_tensors(config, TEXT_LAYERS))
    return one_file_source(open_checkpoint(header))


def full_upsampler() -> Source:
    header = Header(Path("upsampler"), {"config": json.dumps(UPSAMPLER)}, upsampler_tensors(UPSAMPLER))
    return Source(open_single(header), {"upsampler": upsampler_kwargs(header)}, {"upsampler": UPSAMPLER_NAMES})
