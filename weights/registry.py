"""The published weights as a table: which file of which repository, its size, hash and purpose.

Sizes and hashes are those that the hub shows on each file's page, and every repository is pinned to a commit that has
them. The files of a folder are not listed here: the hub lists them at the first pull, and `weights.store` records its
answer.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from types import MappingProxyType

from weights.errors import UnknownSetError
from weights.licenses import GEMMA_TERMS, LTX_COMMUNITY, License

# The files that are read in a model's folder; others (README, pictures, other formats) are not fetched.
FOLDER_FILES = ("*.safetensors", "*.json", "*.jinja", "*.model")


# Commits that have the files named below, each as projects in public pin it beside the files' hashes or sizes. That of
# GEMMA_BNB_4BIT is known from one project alone.
LTX_COMMIT = "6b5a83e3045eaf8e46cfa0acce512412aa2b9cce"
LTX_FP8_COMMIT = "1d756cd27fa11c0896c4dfee093cd1bf36c7f7a1"
KIJAI_COMMIT = "72af6430be2ff9b6792e9bdb8b7bd8ddcc11bc8b"
DIFFUSERS_COMMIT = "432e0d3c2d1769aaa4d295f9243f7062bf6b47ee"
GEMMA_COMMIT = "68f7ee4fbd59087436ada77ed2d62f373fdd4482"
GEMMA_BNB_4BIT_COMMIT = "826e729dbaeea4ecb143738eed2bcf3539ebf7bf"
GEMMA_FP8_COMMIT = "bd5f9c87fcb0360ae7112f9784562670894d9492"


class Role(StrEnum):
    CHECKPOINT = "checkpoint"
    VIDEO_VAE = "video_vae"
    AUDIO_VAE = "audio_vae"
    TEXT_PROJECTION = "text_projection"
    UPSCALER = "upscaler"
    TEXT_ENCODER = "text_encoder"


@dataclass(frozen=True)
class PublishedFile:
    """A file as its repository describes it. `path` is the one inside the repository."""

    path: str
    size_bytes: int
    sha256: str | None = None
    """None: kept in git itself, and identified by `git_blob`."""

    git_blob: str | None = None
    commit: str | None = None
    """The commit that the hub named when it was asked; None before that, when the part's revision is followed."""


@dataclass(frozen=True)
class Part:
    """Names what a set needs for one role: a file of a repository, or without `file` the whole repository."""

    role: Role
    repo: str
    file: PublishedFile | None = None
    revision: str = "main"
    is_gated: bool = False
    """Its licence has to be accepted on its page before it can be fetched."""

    subfolders: tuple[str, ...] = ()
    """Of a folder, those that belong to it beside its top level."""

    about_bytes: int | None = None
    """The size of a folder, for the eye. None: not known."""

    licenses: tuple[License, ...] = ()
    note: str = ""
    lookalike: str = ""
    """What a file of the right name and size may be, if its hash is another."""

    @property
    def name(self) -> str:
        return self.name_of(self.file) if self.file else self.repo

    def name_of(self, file: PublishedFile) -> str:
        return f"{self.repo}/{file.path}"

    @property
    def page(self) -> str:
        """The page on which a person reads and accepts the licence."""
        return f"https://huggingface.co/{self.repo}"

    @property
    def size_bytes(self) -> int | None:
        return self.file.size_bytes if self.file else self.about_bytes

    def takes(self, path: str) -> bool:
        """Return whether the file at `path` in the repository belongs to this part, a folder with its `subfolders`."""
        if self.file is not None:
            return path == self.file.path
        folder, _, name = path.rpartition("/")
        return folder in ("", *self.subfolders) and any(fnmatchcase(name, pattern) for pattern in FOLDER_FILES)


def licenses_of(parts: Iterable[Part]) -> list[License]:
    """Return each licence of the parts once."""
    return list(dict.fromkeys(license for part in parts for license in part.licenses))


@dataclass(frozen=True)
class WeightSet:
    """Everything that one server needs. A checkpoint that is a folder contains its text encoder."""

    name: str
    summary: str
    parts: tuple[Part, ...]

    def with_text_encoder(self, part: Part) -> "WeightSet":
        others = tuple(other for other in self.parts if other.role != Role.TEXT_ENCODER)
        return replace(self, parts=(*others, part))


@dataclass(frozen=True)
class Registry:
    """The sets, the default first, and the text encoders that any of them can use instead of its own."""

    sets: tuple[WeightSet, ...]
    text_encoders: Mapping[str, Part]

    @property
    def default(self) -> WeightSet:
        return self.sets[0]

    def find(self, name: str | None = None, text_encoder: str | None = None) -> WeightSet:
        """Return the set of this name, or the default. Raises UnknownSetError, which lists the names."""
        sets = {weight_set.name: weight_set for weight_set in self.sets}
        found = sets.get(name or self.default.name)
        if found is None:
            raise UnknownSetError("weight set", name, sets)
        if text_encoder is None:
            return found
        if text_encoder not in self.text_encoders:
            raise UnknownSetError("text encoder", text_encoder, self.text_encoders)
        return found.with_text_encoder(self.text_encoders[text_encoder])

    def names_of(self, role: Role) -> dict[str, Part]:
        """Return the names for a role and their parts. A set's name stands for its part with that role."""
        parts = {weight_set.name: part for weight_set in self.sets for part in weight_set.parts if part.role == role}
        return parts | (dict(self.text_encoders) if role is Role.TEXT_ENCODER else {})


UPSCALER = Part(
    Role.UPSCALER,
    "Lightricks/LTX-2.3",
    PublishedFile(
        "ltx-2.3-spatial-upscaler-x2-1.1.safetensors",
        995_743_560,
        "5f416311fa8172b65af67530758964708d29a317b830d689a51143b7f91913ed",
    ),
    revision=LTX_COMMIT,
    lookalike="upscaler 1.0 has the same size as 1.1, and leaves artefacts in long videos",
    licenses=(LTX_COMMUNITY,),
)

GEMMA = Part(
    Role.TEXT_ENCODER,
    "google/gemma-3-12b-it-qat-q4_0-unquantized",
    revision=GEMMA_COMMIT,
    is_gated=True,
    about_bytes=24_400_000_000,
    note="BF16, five shards",
    licenses=(GEMMA_TERMS,),
)

GEMMA_BNB_4BIT = Part(
    Role.TEXT_ENCODER,
    "unsloth/gemma-3-12b-it-bnb-4bit",
    revision=GEMMA_BNB_4BIT_COMMIT,
    note="4 bits, read through bitsandbytes",
    licenses=(GEMMA_TERMS,),
)

GEMMA_FP8 = Part(
    Role.TEXT_ENCODER,
    "Comfy-Org/ltx-2",
    PublishedFile(
        "split_files/text_encoders/gemma_3_12B_it_fp8_scaled.safetensors",
        13_205_434_827,
        "60216ce97c01c3a8753c2dfd0a89fc76e16fbe446d1a32ef8f1b528ac8bae466",
    ),
    revision=GEMMA_FP8_COMMIT,
    note="one file of scaled FP8, with no tokenizer beside it",
    licenses=(GEMMA_TERMS,),
)

HOSTED = WeightSet(
    "hosted",
    "what the hosted endpoint runs: distilled 1.1, transformer in scaled FP8, the rest in BF16",
    (
        Part(
            Role.CHECKPOINT,
            "Kijai/LTX2.3_comfy",
            PublishedFile(
                "diffusion_models/ltx-2.3-22b-distilled-1.1_transformer_only_fp8_scaled.safetensors",
                25_226_571_988,
                "0a1d7aac2b338e8ec7e832149f1dcf11c9323272482b1cca0673d229702370f0",
            ),
            revision=KIJAI_COMMIT,
            licenses=(LTX_COMMUNITY,),
        ),
        Part(
            Role.VIDEO_VAE,
            "Kijai/LTX2.3_comfy",
            PublishedFile(
                "vae/LTX23_video_vae_bf16.safetensors",
                1_452_258_578,
                "01ea62d09bc139f95c5dee7b5c062ad6a3e6cd8be910a1983ac02e7eb5b8ee3b",
            ),
            revision=KIJAI_COMMIT,
            licenses=(LTX_COMMUNITY,),
        ),
        Part(
            Role.AUDIO_VAE,
            "Kijai/LTX2.3_comfy",
            PublishedFile(
                "vae/LTX23_audio_vae_bf16.safetensors",
                364_855_188,
                "5bc10fa4adecf99dda132d916e23048cbd56797702c5fa50eb5d2079048a38c3",
            ),
            revision=KIJAI_COMMIT,
            licenses=(LTX_COMMUNITY,),
        ),
        Part(
            Role.TEXT_PROJECTION,
            "Kijai/LTX2.3_comfy",
            PublishedFile(
                "text_encoders/ltx-2.3_text_projection_bf16.safetensors",
                2_312_149_072,
                "911d59bb4cb7708179c9a0045ea0fe41212ecfb77aed3a02702b7c0a8274911f",
            ),
            revision=KIJAI_COMMIT,
            licenses=(LTX_COMMUNITY,),
        ),
        UPSCALER,
        GEMMA,
    ),
)

BF16 = WeightSet(
    "bf16",
    "distilled 1.1 in one BF16 file",
    (
        Part(
            Role.CHECKPOINT,
            "Lightricks/LTX-2.3",
            PublishedFile(
                "ltx-2.3-22b-distilled-1.1.safetensors",
                46_149_345_334,
                "b33b7fe4bbfe084f484be4aaf90b0f1d95dca20d403ac4c0e037eb8c4f0af7cc",
            ),
            revision=LTX_COMMIT,
            licenses=(LTX_COMMUNITY,),
        ),
        UPSCALER,
        GEMMA,
    ),
)

FP8 = WeightSet(
    "fp8",
    "distilled 1.0 in one file, Lightricks' own scaled FP8",
    (
        Part(
            Role.CHECKPOINT,
            "Lightricks/LTX-2.3-fp8",
            PublishedFile(
                "ltx-2.3-22b-distilled-fp8.safetensors",
                29_531_884_062,
                "d9646b6f2d5c42d337b23671634c43bfeece6989644f51b4a3aa088465ccd3b2",
            ),
            revision=LTX_FP8_COMMIT,
            lookalike="an earlier upload of this name had no scales",
            licenses=(LTX_COMMUNITY,),
        ),
        UPSCALER,
        GEMMA,
    ),
)

DIFFUSERS = WeightSet(
    "diffusers",
    "distilled as a diffusers folder in BF16, text encoder included",
    (
        Part(
            Role.CHECKPOINT,
            "diffusers/LTX-2.3-Distilled-Diffusers",
            revision=DIFFUSERS_COMMIT,
            subfolders=(
                "transformer",
                "connectors",
                "vae",
                "audio_vae",
                "vocoder",
                "scheduler",
                "text_encoder",
                "tokenizer",
            ),
            about_bytes=94_977_700_554,
            licenses=(LTX_COMMUNITY, GEMMA_TERMS),
        ),
        UPSCALER,
    ),
)

REGISTRY = Registry(
    sets=(HOSTED, BF16, FP8, DIFFUSERS),
    text_encoders=MappingProxyType({"gemma": GEMMA, "gemma-bnb-4bit": GEMMA_BNB_4BIT, "gemma-fp8": GEMMA_FP8}),
)
