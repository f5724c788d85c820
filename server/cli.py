"""Parse the `ltx23` command and run one of its commands, whose code is imported then."""

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipelines.bench.cards import CARDS, Arithmetic
from server.commands import enhancer as enhancer_command
from server.commands import weights as weights_command
from server.commands.generate_options import add_clip_options, add_generate_options
from server.commands.parser import Parser
from server.commands.setting_options import add_setting_options
from server.commands.streams import flush_stdout, prepare_streams
from server.settings import GROUPS, BrowserSettings, EnhancerSettings, ListenSettings

SHELLS = ("bash", "zsh", "fish")
DESCRIPTION = "A self-hosted, drop-in replacement for the hosted endpoint LTX-23-Video."


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 success, 1 failure with a message on stderr, 2 wrong usage."""
    prepare_streams()
    try:
        args = vars(build_parser().parse_args(argv))
    except SystemExit as exc:  # after --help, or on wrong usage
        sys.exit(flush_stdout(int(exc.code or 0)))
    return flush_stdout(_run(args))


def _run(args: dict[str, Any]) -> int:
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
    if command == "bench" and (card := args.pop("model")) is not None:
        from server.commands.bench_model import bench_model

        return bench_model(card, **args)
    if command == "bench":
        from server.commands.bench import bench

        return bench(**args)
    if command == "record":
        from server.commands.record import record

        return record(**args)
    if command == "replay":
        from server.commands.replay import replay

        return replay(**args)
    if command == "completion":
        from server.commands.completion import completion

        return completion(build_parser(), **args)
    from server.commands.generate import generate

    return generate(**args)


def build_parser() -> argparse.ArgumentParser:
    parser = Parser("ltx23", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"ltx23 {version('ltx23-server')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_serve(commands.add_parser("serve", help="serve the HTTP endpoint"))
    add_generate_options(commands.add_parser("generate", help="render a clip to a file, here or on a server"))
    _add_bench(commands.add_parser("bench", help="measure how fast this machine renders"))
    _add_enhance(commands.add_parser("enhance", help="rewrite a prompt, without rendering"))
    _add_record(commands.add_parser("record", help="record the requests and answers of an endpoint"))
    _add_replay(commands.add_parser("replay", help="answer from a recording, without a model"))
    enhancer_command.add_commands(commands.add_parser("enhancer", help="install SGLang, which rewrites prompts"))
    weights_command.add_commands(commands.add_parser("weights", help="list, fetch and verify weights"))
    _add_completion(commands.add_parser("completion", help="print a script that completes this command in a shell"))
    return parser


def _add_completion(parser: argparse.ArgumentParser) -> None:
    parser.description = 'Print a script for a shell. In bash: eval "$(ltx23 completion bash)"'
    parser.add_argument("shell", choices=SHELLS)


def _add_enhance(parser: argparse.ArgumentParser) -> None:
    parser.description = "Rewrite a prompt as a clip with enhance_prompt would have it, and print it."
    parser.add_argument("--prompt", required=True)
    parser.add_argument("--image", metavar="FILE", help="first frame, which the rewrite should match")
    parser.add_argument(
        "--duration", type=float, default=5.0, metavar="S", help="length of the clip in seconds (default: 5)"
    )
    add_setting_options(parser, EnhancerSettings, without=("enhancer", "enhancer_required"))


def _add_serve(parser: argparse.ArgumentParser) -> None:
    parser.description = "Serve the HTTP endpoint. Each option is also an environment variable: LTX23_PORT=9000."
    for group in GROUPS:
        add_setting_options(parser, group)


def _add_record(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Stand between a client and an endpoint, this server or the hosted one, and record what passes, without keys."
    )
    parser.add_argument("--to", required=True, type=Path, metavar="FOLDER", help="folder to record into, or add to")
    parser.add_argument("--upstream", required=True, metavar="URL", help="the endpoint's address")
    _add_listen_options(parser)


def _add_replay(parser: argparse.ArgumentParser) -> None:
    parser.description = "Answer equal requests as they were answered while `ltx23 record` ran, without a model."
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="folder of a recording")
    parser.add_argument(
        "--on-miss",
        choices=("error", "forward"),
        default="error",
        help="what is not recorded is a 404 that says in what it differs, or goes to --upstream (default: error)",
    )
    parser.add_argument("--upstream", metavar="URL", help="with --on-miss forward: the endpoint's address")
    _add_listen_options(parser)


def _add_listen_options(parser: argparse.ArgumentParser) -> None:
    add_setting_options(parser, ListenSettings, only=("host", "port", "allow_no_key"))
    add_setting_options(parser, BrowserSettings, only=("allowed_hosts",))


def _add_bench(parser: argparse.ArgumentParser) -> None:
    parser.description = "Render clips on this machine, and print what they take: time, operations, memory."
    parser.add_argument("--prompt", default="a red fox in the snow", help="default: %(default)s")
    parser.add_argument(
        "--clips", type=int, default=4, metavar="N", help="clips to render; the first one warms up (default: 4)"
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--compare", choices=("diffusers",), help="also render with diffusers' own pipelines")
    kind.add_argument(
        "--model",
        type=str.lower,
        choices=tuple(CARDS),
        metavar="CARD",
        help="measure nothing: print what the 22B model counts, and how long it would take on this card "
        f"({', '.join(CARDS)}); needs neither the card nor weights nor the images",
    )
    parser.add_argument(
        "--arithmetic",
        choices=tuple(Arithmetic),
        default=Arithmetic.FP8_DYNAMIC,
        help="with --model: how the transformer multiplies (default: %(default)s)",
    )
    parser.add_argument(
        "--lora-rank", type=int, default=0, metavar="N", help="with --model: count a LoRA of this rank on every layer"
    )
    parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON instead of a table")
    parser.add_argument("--chart", type=Path, metavar="FILE.svg", help="also draw the stages beside their floor")
    add_clip_options(parser)


if __name__ == "__main__":
    sys.exit(main())
