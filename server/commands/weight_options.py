"""The options that say what is loaded, and where to: those of `ltx23 serve`, `generate` and `weights plan`."""

import argparse

from weights.registry import REGISTRY

WEIGHT_OPTIONS = (
    *("checkpoint", "text_encoder", "upscaler", "video_vae", "audio_vae", "text_projection", "weights_dir"),
    *("text_encoder_quantization", "device", "dtype", "fp8", "memory", "vram", "stages", "cache_dir"),
)


def add_weight_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("weights", "without --checkpoint: the tiny model, random and made here")
    add_file_options(group)
    add_memory_options(group)
    add_device_option(group)
    group.add_argument("--cache-dir", metavar="DIR", help="where the tiny model is written (default: ~/.cache/ltx23)")


def add_file_options(group: argparse._ArgumentGroup) -> None:
    sets, encoders = ", ".join(each.name for each in REGISTRY.sets), ", ".join(REGISTRY.text_encoders)
    group.add_argument(
        "--checkpoint",
        metavar="WEIGHTS",
        help="LTX-2.3 distilled: .safetensors file, diffusers folder, or the name of a set that `ltx23 weights pull` "
        f"has fetched ({sets}), which brings all that is not given",
    )
    group.add_argument(
        "--text-encoder",
        metavar="WEIGHTS",
        help=f"Gemma 3 12B: Hugging Face folder with its tokenizer, single file, or a name ({encoders})",
    )
    group.add_argument(
        "--text-encoder-quantization",
        choices=["none", "8bit", "4bit"],
        help="quantise Gemma 3 while it loads, through bitsandbytes (default: none)",
    )
    group.add_argument(
        "--upscaler", metavar="WEIGHTS", help="the x2 latent upsampler: .safetensors file, folder, or name"
    )
    group.add_argument(
        "--video-vae",
        metavar="WEIGHTS",
        help="where the checkpoint is the transformer alone: the video VAE, as a file or by a set's name",
    )
    group.add_argument("--audio-vae", metavar="WEIGHTS", help="... the audio VAE and vocoder")
    group.add_argument("--text-projection", metavar="WEIGHTS", help="... the text projection")
    group.add_argument(
        "--weights-dir", metavar="DIR", help="where names are looked for (default: ~/.cache/ltx23/weights)"
    )


def add_memory_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--fp8", choices=["auto", "scaled", "dequantize"], help="FP8 arithmetic (default: where it exists)"
    )
    group.add_argument(
        "--memory",
        choices=["auto", "resident", "balanced", "low"],
        help="what stays on the device: all; not the text encoder; nor the transformer (default: what fits)",
    )
    group.add_argument(
        "--vram", type=float, metavar="GB", help="memory of the device that may be used (default: what is free)"
    )
    group.add_argument(
        "--dtype", choices=["auto", "float32", "bfloat16"], help="default: bfloat16 on a GPU, else float32"
    )
    group.add_argument("--stages", type=int, choices=[1, 2], help="1: all steps at full size, no upscaler (default: 2)")


def add_device_option(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--device", help="auto, cpu, cuda or cuda:N (default: auto)")
