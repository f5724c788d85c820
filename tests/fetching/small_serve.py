"""`ltx23 serve` with a set that is the tiny model: `python -m tests.fetching.small_serve OPTIONS`.

LTX23_CACHE_DIR has the tiny model. With the number of a descriptor it is the process that fetches, without delays.
"""

import hashlib
import os
import sys
from pathlib import Path

from weights.registry import Part, PublishedFile, Registry, Role, WeightSet
from weights.tiny import TinyFiles, tiny_files

MODEL_REPO, ENCODER_REPO = "maker/video", "maker/words"
TOKEN = "hf_accepted"


def part(role: Role, path: Path) -> Part:
    content = path.read_bytes()
    return Part(role, MODEL_REPO, PublishedFile(path.name, len(content), hashlib.sha256(content).hexdigest()))


def registry(tiny: TinyFiles) -> Registry:
    encoder = Part(Role.TEXT_ENCODER, ENCODER_REPO, is_gated=True)
    parts = (part(Role.CHECKPOINT, tiny.checkpoint), part(Role.UPSCALER, tiny.upsampler), encoder)
    return Registry((WeightSet("small", "the tiny model", parts),), {"words": encoder})


def main() -> int:
    small = registry(tiny_files(Path(os.environ["LTX23_CACHE_DIR"])))
    if sys.argv[1].isdecimal():
        from server.fetching import main as fetching

        fetching.main(small, (0.0,) * 3)
        return 0

    from server.cli import build_parser
    from server.commands.serve import serve

    args = vars(build_parser().parse_args(["serve", *sys.argv[1:]]))
    del args["command"]
    return serve(small, (sys.executable, "-m", "tests.fetching.small_serve"), **args)


if __name__ == "__main__":
    sys.exit(main())
