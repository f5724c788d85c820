"""The options of `ltx23 generate`, and those for a clip, which `ltx23 bench` has, too."""

import argparse
from pathlib import Path

from pipelines.memory import DEFAULT_CLIP
from pipelines.spec import Container
from server.commands.clip_size import add_source_options
from server.commands.guidance_options import add_guidance_options
from server.commands.lora_options import add_lora_options
from server.commands.setting_options import add_setting_options
from server.commands.sound_options import add_sound_options
from server.commands.tail_guard_options import add_tail_guard_option
from server.settings import WeightSettings


def add_generate_options(parser: argparse.ArgumentParser) -> None:
    parser.description = "Render one clip to a file, in this process or on a server, through the code that serves."
    parser.add_argument("prompt_argument", nargs="?", metavar="PROMPT", help="what the clip shows, and how it sounds")
    parser.add_argument("--prompt", help="the same, as an option")
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="output file, ending in .mp4 or .webm; a file of this name is replaced (default: a new file in this "
        "folder, named after the prompt and the seed). With --prompts or --images a folder (default: clips)",
    )
    parser.add_argument(
        "--format",
        dest="container",
        choices=tuple(map(str, Container)),
        help="format of files that are not named (default: mp4)",
    )
    add_batch_options(parser)
    add_server_options(parser)
    parser.add_argument(
        "--json", action="store_true", dest="as_json", help="print one JSON object about the clip, and nothing else"
    )
    parser.add_argument("--open", action="store_true", dest="opens", help="open the clip with the system's player")
    parser.add_argument("--preview", metavar="FILE", help="show each step in this animation, ending in .webp")
    parser.add_argument("--save-latents", metavar="FILE", help="also write each stage's latents and the waveform")
    add_clip_fields(parser)
    add_metadata_option(parser)
    add_setting_options(parser, WeightSettings, without=("devices", "warmup", "pull"))


def add_batch_options(parser: argparse.ArgumentParser) -> None:
    many = parser.add_mutually_exclusive_group()
    many.add_argument(
        "--prompts",
        type=Path,
        metavar="FILE",
        help="render a clip for each line: a prompt, or a JSON object with fields of its own",
    )
    many.add_argument(
        "--images", type=Path, metavar="DIR", help="render a clip from the prompt and each image of this folder"
    )


def add_server_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--server",
        metavar="URL",
        help="render on the server at this address; its model is used, and nothing is loaded here",
    )
    parser.add_argument("--key", help="API key of the server; better in LTX23_API_KEY, where others cannot see it")


def add_metadata_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--embed-metadata", action="store_true", help="write prompt, seed, model and settings into the file, as JSON"
    )


def add_clip_options(parser: argparse.ArgumentParser) -> None:
    add_clip_fields(parser)
    add_setting_options(parser, WeightSettings, without=("devices", "warmup", "pull"))


def add_clip_fields(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=42)
    clip = DEFAULT_CLIP
    parser.add_argument("--width", type=int, help=f"pixels, a multiple of 64 (default: {clip.width}, or as --retake's)")
    parser.add_argument("--height", type=int, help=f"pixels, a multiple of 64 (default: {clip.height}, likewise)")
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--num-frames",
        type=int,
        help=f"frames to render, 8k + 1 (default: {clip.num_frames}, or what --audio or --retake needs)",
    )
    length.add_argument("--duration", type=float, metavar="SECONDS", help="the nearest number of frames, instead")
    parser.add_argument(
        "--fps",
        metavar="RATE",
        help=f"frames a second, such as 24, 23.976 or 30000/1001 (default: {clip.frame_rate})",
    )
    parser.add_argument("--image", metavar="FILE", help="first frame of the clip")
    parser.add_argument(
        "--keyframe",
        action="append",
        default=[],
        dest="keyframes",
        metavar="PATH:FRAME_IDX:STRENGTH:CRF",
        help="an image at a pixel frame (-1: the last); STRENGTH (1.0) and CRF (33) may be left out; may be repeated",
    )
    parser.add_argument("--no-audio", action="store_false", dest="generate_audio", help="write a file without sound")
    add_guidance_options(parser)
    add_tail_guard_option(parser)
    add_lora_options(parser)
    add_sound_options(parser)
    add_source_options(parser)
