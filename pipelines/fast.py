"""Render a clip at a smaller size, for tests of clients: its pictures are squeezed into it, its frames stretched back.

All frames are rendered, so that each keyframe stays at its own. Of the sound, the first second is decoded.
"""

from collections.abc import Callable
from dataclasses import replace

from pipelines.geometry import AUDIO_LATENTS_PER_SECOND, fast_size
from pipelines.ltx.components import Components
from pipelines.ltx.conditioning import Picture, prepare_squeezed_picture
from pipelines.ltx.pipeline import stage_grids
from pipelines.media.image_crop import Size
from pipelines.spec import GenerationSpec


def fast_components(components: Components) -> Components:
    return replace(components, max_decoded_audio_latents=AUDIO_LATENTS_PER_SECOND)


def fast_spec(spec: GenerationSpec) -> GenerationSpec:
    width, height = fast_size(spec.width, spec.height)
    return replace(spec, width=width, height=height)


def prepare_fast_pictures(spec: GenerationSpec, on_picture: Callable[[], None] = lambda: None) -> list[Picture]:
    """Prepare the images of a clip that will have the size of `spec`, as `prepare_pictures` does. Raises ImageError."""
    grids = set(stage_grids(fast_spec(spec)))
    pictures = []
    for keyframe in spec.keyframes:
        pictures.append(prepare_squeezed_picture(keyframe, grids, Size(spec.width, spec.height)))
        on_picture()
    return pictures
