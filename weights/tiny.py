"""Write the tiny LTX-2.3 in the published files, once, into a cache folder.

It is for trying the server without a GPU and for tests. It shows the images of a request and the colours of its prompt,
and sounds a tone, computed by the same code as the 22B model. Its weights are computed in `weights.tiny_model`, from
seeds and from a small file of trained ones.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod, sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weights.errors import FileError
from weights.header import TensorInfo
from weights.published import published_tensors, upsampler_tensors
from weights.tiny_config import CHECKPOINT_CONFIG, TEXT_LAYERS, TEXT_WIDTH, TRAINED, UPSAMPLER_CONFIG

if TYPE_CHECKING:
    import torch

SEED = 23

TINY_GEMMA = {
    "hidden_size": TEXT_WIDTH,
    "intermediate_size": 2 * TEXT_WIDTH,
    "num_hidden_layers": TEXT_LAYERS,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 32,
    "query_pre_attn_scalar": 32,
    "sliding_window": 128,
}
SPECIAL_TOKENS = ["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_image>", "<end_of_image>", "<image_soft_token>"]


@dataclass(frozen=True)
class TinyFiles:
    checkpoint: Path
    upsampler: Path
    text_encoder: Path


def tiny_files(cache: Path) -> TinyFiles:
    """Return the files of the tiny model below `cache`, writing them first if needed. Raises FileError on failure."""
    folder = cache / f"tiny-{_fingerprint()}"
    try:
        if not folder.is_dir():
            _write_atomically(folder)
    except OSError as exc:
        message = f"the tiny model cannot be written here: {exc.strerror or exc}; choose another cache"
        raise FileError(cache, message) from exc
    except UnicodeEncodeError as exc:
        raise FileError(
            cache, "the tiny model cannot be written here: the path is not UTF-8; choose another cache"
        ) from exc
    return TinyFiles(
        checkpoint=folder / "ltx-2.3-tiny-distilled.safetensors",
        upsampler=folder / "ltx-2.3-tiny-spatial-upscaler-x2.safetensors",
        text_encoder=folder / "text_encoder",
    )


def _fingerprint() -> str:
    """Hash everything that determines the weights, so that a new version never uses an old file."""
    here = Path(__file__).parent
    sources = [here / "tiny.py", here / "published.py", *sorted((here / "tiny_model").glob("*.py")), TRAINED]
    configs = json.dumps([CHECKPOINT_CONFIG, UPSAMPLER_CONFIG, TINY_GEMMA])
    digest = hashlib.sha256(configs.encode())
    for source in sources:
        digest.update(source.read_bytes())
    return digest.hexdigest()[:12]


def _write_atomically(folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=".tiny-", dir=folder.parent))
    try:
        part.chmod(0o755)
        with _safetensors_errors():
            _write(part)
        os.rename(part, folder)
    except OSError:
        if not folder.is_dir():  # else another process was first
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextmanager
def _safetensors_errors() -> Iterator[None]:
    """Turn the library's own error for a full disk into an OSError."""
    from safetensors import SafetensorError

    try:
        yield
    except SafetensorError as exc:
        raise OSError(str(exc)) from exc


def _write(folder: Path) -> None:
    import torch
    from safetensors.torch import save_file

    from weights.tiny_model.upsampler import set_upsampler
    from weights.tiny_model.video_vae import trained_tensors

    trained = trained_tensors()
    infos = published_tensors(CHECKPOINT_CONFIG, TEXT_LAYERS + 1)
    metadata = {"config": json.dumps(CHECKPOINT_CONFIG), "model_version": "2.3.0", "format": "pt"}
    checkpoint = stored(_checkpoint_tensors(infos, trained), infos)
    save_file(checkpoint, folder / "ltx-2.3-tiny-distilled.safetensors", metadata=metadata)
    infos = upsampler_tensors(UPSAMPLER_CONFIG)
    upsampler = {name: torch.empty(info.shape).zero_() for name, info in infos.items()}
    set_upsampler(upsampler, trained)
    metadata = {"config": json.dumps(UPSAMPLER_CONFIG), "format": "pt"}
    save_file(stored(upsampler, infos), folder / "ltx-2.3-tiny-spatial-upscaler-x2.safetensors", metadata=metadata)
    _write_text_encoder(folder / "text_encoder")


def _checkpoint_tensors(infos: dict[str, TensorInfo], trained: dict[str, "torch.Tensor"]) -> dict[str, "torch.Tensor"]:
    """Compute what has an effect; the rest is random."""
    import torch

    from weights.tiny_model.sound import set_audio_vae, set_vocoder
    from weights.tiny_model.text import set_connectors
    from weights.tiny_model.transformer import noise_directions, set_transformer
    from weights.tiny_model.video_vae import FlatColours, video_vae_tensors

    tensors = random_tensors(infos, SEED)
    flat = FlatColours(trained["flat.weight"], trained["flat.bias"])
    set_transformer(tensors, flat, noise_directions(flat, torch.Generator().manual_seed(SEED)))
    set_connectors(tensors, TEXT_LAYERS)
    set_audio_vae(tensors)
    set_vocoder(tensors)
    return tensors | {f"vae.{name}": tensor for name, tensor in video_vae_tensors(trained).items()}


def stored(tensors: dict[str, "torch.Tensor"], infos: dict[str, TensorInfo]) -> dict[str, "torch.Tensor"]:
    """Convert to the dtypes of the published file."""
    import torch

    dtypes = {"BF16": torch.bfloat16, "F32": torch.float32}
    return {name: tensors[name].to(dtypes[info.dtype]).contiguous() for name, info in infos.items()}


def random_tensors(infos: dict[str, TensorInfo], seed: int) -> dict[str, "torch.Tensor"]:
    import torch

    generator = torch.Generator().manual_seed(seed)
    return {name: _random_tensor(name, info.shape, generator) for name, info in infos.items()}


def _random_tensor(name: str, shape: tuple[int, ...], generator: "torch.Generator") -> "torch.Tensor":
    """Draw values that keep signals about their size from layer to layer; filters and statistics are real."""
    import torch

    if name.endswith(("norm.weight", "norm1.weight", "norm2.weight", "std-of-means")):
        return torch.ones(shape)
    if name.endswith(".filter"):
        return _low_pass(shape[-1]).reshape(shape)
    if name.endswith("mel_basis"):
        return _mel_filters(*shape)
    if name.endswith("_basis"):
        return _windowed_fourier(shape[0] // 2, shape[2])
    noise = torch.randn(shape, generator=generator)
    if len(shape) == 1:
        return noise * 0.02
    if name.endswith("learnable_registers"):
        return noise
    return noise / sqrt(shape[1] if "scale_shift_table" in name else prod(shape[1:]))


def _low_pass(taps: int) -> "torch.Tensor":
    """Return a Hann-windowed sinc at half the band, with sum 1."""
    import torch

    window = torch.hann_window(taps + 2, periodic=False)[1:-1]
    kernel = torch.sinc((torch.arange(taps) - (taps - 1) / 2) / 2) * window
    return kernel / kernel.sum()


def _windowed_fourier(frequencies: int, length: int) -> "torch.Tensor":
    """Return real rows, then imaginary ones: (2 * frequencies, 1, length)."""
    import torch

    angles = torch.outer(torch.arange(frequencies), torch.arange(length)) * (2 * torch.pi / length)
    return (torch.cat([angles.cos(), -angles.sin()]) * torch.hann_window(length)).unsqueeze(1)


def _mel_filters(mel_bins: int, frequencies: int) -> "torch.Tensor":
    """Return overlapping triangles that widen towards high frequencies."""
    import torch

    centres = torch.linspace(0, 1, mel_bins + 2).pow(2) * (frequencies - 1)
    bins = torch.arange(frequencies).unsqueeze(0)
    lower, centre, upper = (centres[i : i + mel_bins].unsqueeze(1) for i in range(3))
    rising = (bins - lower) / (centre - lower).clamp(min=1)
    falling = (upper - bins) / (upper - centre).clamp(min=1)
    return torch.minimum(rising, falling).clamp(min=0)


def _write_text_encoder(folder: Path) -> None:
    """Write a Gemma 3 of three layers and a tokenizer with a token for each known word and for each byte."""
    import torch
    from transformers import Gemma3ForConditionalGeneration
    from transformers.utils import logging

    from weights.tiny_model.text import known_words, set_gemma

    logging.disable_progress_bar()
    tokenizer = byte_tokenizer(list(known_words()))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED + 2)
        model = Gemma3ForConditionalGeneration(gemma_config(tokenizer, TINY_GEMMA))
    set_gemma(model, tokenizer)
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def gemma_config(tokenizer: Any, text_config: Mapping[str, Any]) -> Any:
    """Return the config, with a minimal vision tower that no prompt uses."""
    from transformers import Gemma3Config

    return Gemma3Config(
        text_config={"vocab_size": len(tokenizer), "max_position_embeddings": 2048, **text_config},
        vision_config={
            "hidden_size": 64,
            "intermediate_size": 64,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "image_size": 28,
            "patch_size": 14,
        },
        mm_tokens_per_image=4,
        boi_token_index=tokenizer.convert_tokens_to_ids("<start_of_image>"),
        eoi_token_index=tokenizer.convert_tokens_to_ids("<end_of_image>"),
        image_token_index=tokenizer.convert_tokens_to_ids("<image_soft_token>"),
    )


def byte_tokenizer(words: Sequence[str] = ()) -> Any:
    """Return a tokenizer with one token a byte, except for `words`, as byte-level tokenizers spell them."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {token: i for i, token in enumerate([*SPECIAL_TOKENS, *alphabet, *words])}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[], unk_token="<unk>", ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", vocab["<bos>"])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<bos>",
        eos_token="<eos>",
        pad_token="<pad>",
        unk_token="<unk>",
        extra_special_tokens=SPECIAL_TOKENS[4:],
        model_max_length=1024,
        padding_side="left",
    )
