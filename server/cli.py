"""The `ltx23` command: serve, generate, enhance, enhancer, weights. Only parses; imports what it starts."""

import argparse
import sys
from collections.abc import Sequence

from server.commands import enhancer as enhancer_command
from server.commands import weights as weights_command
from server.commands.weight_options import add_weight_options

DESCRIPTION = "A self-hosted, drop-in replacement for the hosted endpoint LTX-23-Video."


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code: 0 done, 1 failed with a sentence on stderr, 2 wrong usage."""
    args = vars(build_parser().parse_args(argv))
    command = args.pop("command")
    if command == "serve":
        from server.commands.serve import serve

        return serve(**args)
    if command == "weights":
        return weights_command.weights(**args)
    if command == "enhancer":
        return enhancer_command.enhancer(**args)
    if command == "enhance":
        from server.commands.enhance import enhance

        return enhance(**args)
    from server.commands.generate import generate

    return generate(**args)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("ltx23", description=DESCRIPTION)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_serve(commands.add_parser("serve", help="serve the HTTP endpoint"))
    _add_generate(commands.add_parser("generate", help="render one clip to a file"))
    _add_enhance(commands.add_parser("enhance", help="rewrite a prompt, without rendering"))
    enhancer_command.add_commands(commands.add_parser("enhancer", help="install SGLang, which rewrites prompts"))
    weights_command.add_commands(commands.add_parser("weights", help="list, fetch and verify weights"))
    return parser


def _add_enhancer(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sglang-url", metavar="URL", help="the SGLang that rewrites prompts: http://127.0.0.1:30000")
    parser.add_argument(
        "--sglang-model", metavar="NAME", help="that it serves (default: meta-llama/Llama-3.2-3B-Instruct)"
    )
    parser.add_argument("--captioner", metavar="MODEL", help="Florence-2: a folder, a hub id, or off")
    parser.add_argument("--captioner-device", help="as --device (default: auto)")
    parser.add_argument("--enhance-timeout-s", type=float, help="for one rewrite (default: 10)")


def _add_enhance(parser: argparse.ArgumentParser) -> None:
    parser.description = "Rewrite a prompt as a clip with enhance_prompt would have it, and print it."
    parser.add_argument("--prompt", required=True)
    parser.add_argument("--image", metavar="FILE", help="the first frame, which the rewrite then fits")
    parser.add_argument("--duration", type=float, default=5.0, metavar="S", help="of the clip (default: 5)")
    _add_enhancer(parser)


def _add_serve(parser: argparse.ArgumentParser) -> None:
    parser.description = "Serve the HTTP endpoint. Each option is also an environment variable: LTX23_PORT=9000."
    parser.add_argument("--host", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, help="0 takes a free one (default: 8000)")
    parser.add_argument("--api-keys-file", metavar="FILE", help="keys that clients may use, one a line")
    parser.add_argument(
        "--allow-no-key", action="store_true", default=None, help="listen beyond loopback without a key"
    )
    parser.add_argument("--queue-size", type=int, help="requests that may wait (default: 8)")
    parser.add_argument("--deadline-s", type=float, help="a longer render is answered 504 (default: 600)")
    parser.add_argument(
        "--enhancer", choices=["off", "external", "managed"], help="who rewrites prompts that ask for it"
    )
    parser.add_argument("--sglang-python", metavar="FILE", help="managed: the Python that has SGLang")
    parser.add_argument("--sglang-args", metavar="ARGS", help="managed: more arguments for SGLang, in one string")
    _add_enhancer(parser)
    parser.add_argument("--otel-endpoint", metavar="URL", help="send traces to an OTLP/HTTP collector")
    parser.add_argument("--log-format", choices=["text", "json"], help="json: one object a line (default: text)")
    parser.add_argument("--temp-dir", metavar="DIR", help="where clips live while their request does")
    parser.add_argument("--data-dir", metavar="DIR", help="where videos are kept (default: ~/.local/share/ltx23)")
    parser.add_argument("--result-ttl-s", type=float, help="how long a finished video is kept (default: 86400)")
    parser.add_argument("--max-result-bytes", type=int, help="what finished videos may take (default: 20 GB)")
    add_weight_options(parser)
    parser.add_argument(
        "--devices", metavar="LIST", help="several, with a worker each: cuda:0,cuda:1, or all for every GPU"
    )


def _add_generate(parser: argparse.ArgumentParser) -> None:
    parser.description = "Render one clip to a file, in this process, through the code that serves."
    parser.add_argument("--prompt", required=True)
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="a name that ends in .mp4 or .webm")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--width", type=int, default=768, help="a multiple of 64")
    parser.add_argument("--height", type=int, default=512, help="a multiple of 64")
    parser.add_argument("--num-frames", type=int, default=121, help="8k + 1")
    parser.add_argument("--fps", default="24", metavar="RATE", help="24, 23.976, 30000/1001")
    parser.add_argument(
        "--keyframe",
        action="append",
        default=[],
        dest="keyframes",
        metavar="PATH:FRAME_IDX:STRENGTH:CRF",
        help="an image at a pixel frame (-1: the last); STRENGTH (1.0) and CRF (33) may be left out; may be repeated",
    )
    parser.add_argument("--no-audio", action="store_false", dest="generate_audio", help="no sound")
    parser.add_argument("--save-latents", metavar="FILE", help="also write each stage's latents and the waveform")
    add_weight_options(parser)


if __name__ == "__main__":
    sys.exit(main())
