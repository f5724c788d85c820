"""`ltx23 weights` with small sets and retries without a delay; run as a program."""

import hashlib
import os
import random
import resource
import signal
import sys
from collections.abc import Sequence

from server.cli import build_parser
from server.commands.weights import Dependencies, weights
from tests.weights.hub import Repo
from weights.disk import free_bytes
from weights.licenses import License
from weights.registry import Part, PublishedFile, Registry, Role, WeightSet

MODEL_REPO, MODEL_PATH = "maker/video", "models/model.safetensors"
ENCODER_REPO, SHARD_PATH = "maker/words", "model-00001-of-00001.safetensors"
TOKEN = "hf_accepted"
COMMIT = "c" * 40

MODEL = random.Random(1).randbytes(1_500_000)
SHARD = random.Random(2).randbytes(300_000)
ENCODER_FILES = {
    "config.json": b'{"model_type": "gemma3"}',
    SHARD_PATH: SHARD,
    "tokenizer.model": random.Random(3).randbytes(5_000),
    "README.md": b"# Words",
    "original/config.json": b"{}",
}
LOADED_FILES = {"config.json", SHARD_PATH, "tokenizer.model"}
FOLDER_REPO, DEEP_PATH = "maker/folder", "transformer/model-00001-of-00001.safetensors"
FOLDER_FILES = {
    "model_index.json": b'{"_class_name": "LTX2Pipeline"}',
    DEEP_PATH: random.Random(4).randbytes(200_000),
    "transformer/config.json": b"{}",
    "transformer/README.md": b"# Transformer",
    "vae/config.json": b'{"latent_channels": 128}',
    "assets/config.json": b"{}",
}
WHOLE_FOLDER = {"model_index.json", DEEP_PATH, "transformer/config.json", "vae/config.json"}

CHECKPOINT = Part(Role.CHECKPOINT, MODEL_REPO, PublishedFile(MODEL_PATH, len(MODEL), hashlib.sha256(MODEL).hexdigest()))
ENCODER = Part(Role.TEXT_ENCODER, ENCODER_REPO, is_gated=True, about_bytes=300_000)
LICENSE = License("The folder", "Makers' License", "https://maker.example/license", "makers pay")
FOLDER = Part(
    Role.CHECKPOINT,
    FOLDER_REPO,
    revision=COMMIT,
    subfolders=("transformer", "vae"),
    about_bytes=200_000,
    licenses=(LICENSE,),
)
REGISTRY = Registry(
    sets=(
        WeightSet("one", "a checkpoint", (CHECKPOINT,)),
        WeightSet("both", "a checkpoint and a text encoder", (CHECKPOINT, ENCODER)),
        WeightSet("folder", "a checkpoint that is a folder", (FOLDER,)),
    ),
    text_encoders={"words": ENCODER},
)


def repos() -> dict[str, Repo]:
    return {
        MODEL_REPO: Repo({COMMIT: {MODEL_PATH: MODEL}}, COMMIT),
        ENCODER_REPO: Repo({COMMIT: ENCODER_FILES}, COMMIT, needs_token=TOKEN),
        # The branch main has a newer commit.
        FOLDER_REPO: Repo({COMMIT: FOLDER_FILES, "e" * 40: {"README.md": b"moved"}}, "e" * 40),
    }


def run_weights(argv: Sequence[str]) -> int:
    args = vars(build_parser().parse_args(["weights", *argv]))
    del args["command"]
    free = os.environ.get("FREE_BYTES")
    dependencies = Dependencies(REGISTRY, (0.0,) * 3, (lambda _: int(free)) if free else free_bytes)
    return weights(dependencies=dependencies, **args)


def main() -> int:
    # Handle Ctrl-C as in a terminal: a background process of a script inherits that it is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if limit_bytes := os.environ.get("FILE_LIMIT_BYTES"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit_bytes), int(limit_bytes)))
    return run_weights(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
