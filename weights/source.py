"""Open a checkpoint of any layout: its tensors, how to name them, and what to build for them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from weights.architecture import Kwargs, read_architecture, upsampler_kwargs, video_vae_kwargs
from weights.checkpoint import Checkpoint, StoredTensor, open_checkpoint, open_single
from weights.component import Component, read_component
from weights.diffusers_config import component_kwargs
from weights.errors import UnsupportedError
from weights.folder import FOLDERS, is_diffusers_folder, read_folder, refuse_folder
from weights.header import Header, is_folder, read_header
from weights.infer import infer_video_vae
from weights.names import ONE_FILE, UPSAMPLER, NameMap, published_transformer_name


@dataclass(frozen=True)
class Source:
    """The constructor arguments of each component's module, and the map from stored names to the module's."""

    checkpoint: Checkpoint
    architecture: Mapping[str, Kwargs]
    name_maps: Mapping[str, NameMap]


def open_source(path: Path, companions: Iterable[Path] = (), caption_channels: int = 3840) -> Source:
    """Open one file with its companions, or a diffusers folder. caption_channels: as in `open_checkpoint`.

    Raises WeightsError if it is not LTX-2.3 distilled or incomplete.
    """
    companions = tuple(companions)
    if is_folder(path):
        return _open_folder(path, companions)
    return one_file_source(open_checkpoint(read_header(path), map(read_header, companions), caption_channels))


def one_file_source(checkpoint: Checkpoint) -> Source:
    """Describe tensors with one-file names. Raises UnsupportedError if the config is not LTX-2.3's."""
    architecture = read_architecture(checkpoint)
    return Source(checkpoint, {name: getattr(architecture, name) for name in ONE_FILE}, ONE_FILE)


def open_video_vae(path: Path) -> Source:
    """Open the video VAE alone: in a checkpoint, a diffusers folder, or a file of its own. Raises WeightsError."""
    if is_folder(path):
        return open_source(path)
    header = read_header(path)
    checkpoint = open_single(header)
    try:
        config = checkpoint.config.get("vae") or infer_video_vae(checkpoint.tensors)
        kwargs = video_vae_kwargs(config)
    except (KeyError, IndexError, TypeError, ValueError, ZeroDivisionError) as exc:
        raise UnsupportedError(path, "holds no video VAE of LTX-2.3") from exc
    return Source(checkpoint, {"video_vae": kwargs}, {"video_vae": ONE_FILE["video_vae"]})


def open_upsampler(path: Path) -> Source:
    """Open the published file, or a folder with config.json as diffusers saves it. Its one component is `upsampler`."""
    if is_folder(path):
        component = read_component(path)
        checkpoint, kwargs = Checkpoint(path, component.stored, {}), component_kwargs("upsampler", component)
        return Source(checkpoint, {"upsampler": kwargs}, {"upsampler": UPSAMPLER})
    return one_file_upsampler(read_header(path))


def one_file_upsampler(header: Header) -> Source:
    """Describe an upsampler file. Raises UnsupportedError if it is not the x2 spatial upsampler."""
    return Source(open_single(header), {"upsampler": upsampler_kwargs(header)}, {"upsampler": UPSAMPLER})


def _open_folder(path: Path, companions: tuple[Path, ...]) -> Source:
    if not is_diffusers_folder(path):
        refuse_folder(path)
    if companions:
        raise UnsupportedError(path, "is a diffusers folder, which has all its parts: leave out "
                                     f"{', '.join(companion.name for companion in companions)}")  # fmt: skip
    components = read_folder(path)
    return Source(
        checkpoint=Checkpoint(path, _joined(components), {}),
        architecture={name: component_kwargs(name, component) for name, component in components.items()},
        name_maps={name: NameMap(prefixes=(f"{FOLDERS[name]}.",), rules=()) for name in components},
    )


def _joined(components: Mapping[str, Component]) -> dict[str, StoredTensor]:
    """Return all tensors, those of the transformer under their published names."""
    return {
        f"{FOLDERS[name]}.{published_transformer_name(stored) if name == 'transformer' else stored}": tensor
        for name, component in components.items()
        for stored, tensor in component.stored.items()
    }
