"""Caption images with Florence-2. Only the captioner's process imports this."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from enhancer.errors import CaptionError, OptionError

if TYPE_CHECKING:
    import torch
    from PIL import Image

# The most detailed of the three tasks that describe a whole image. The text must contain
# nothing else.
TASK = "<MORE_DETAILED_CAPTION>"

# 150 words. Beams as in the model's own examples, without sampling.
GENERATION: Mapping[str, Any] = {"max_new_tokens": 256, "num_beams": 3, "do_sample": False}

# The model sees 768x768; decoding and resampling more is wasted work.
MAX_SIDE = 1024
MAX_FILE_BYTES = 32 * 2**20
MAX_PIXELS = 64_000_000

# Pillow's names of the formats that a request may send.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF")

DTYPES = ("auto", "float32", "bfloat16", "float16")


class Florence:
    """A loaded model, created by `load_florence`."""

    def __init__(self, model: Any, processor: Any) -> None:
        self._model, self._processor = model, processor

    @property
    def device(self) -> str:
        return str(self._model.device)

    def caption(self, path: Path) -> str:
        """Return a caption, the same for the same image. Raises CaptionError if the file is not a readable image."""
        import torch

        inputs = self._processor(text=TASK, images=read_image(path), return_tensors="pt")
        with torch.inference_mode():
            tokens = self._model.generate(**inputs.to(self._model.device, self._model.dtype), **GENERATION)
        caption: str = self._processor.batch_decode(tokens, skip_special_tokens=True)[0]
        return caption.strip()


def load_florence(model: str, device: str, dtype: str) -> Florence:
    """Load a folder, or an id on the Hugging Face hub. Raises OptionError."""
    if dtype not in DTYPES:
        raise OptionError(f"dtype: {dtype!r} is none of {', '.join(DTYPES)}")
    where = _resolve_device(device)
    resolved_dtype = _resolve_dtype(dtype, where)
    from transformers import Florence2ForConditionalGeneration, Florence2Processor
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    options = {"local_files_only": Path(model).is_dir(), "trust_remote_code": False}
    with _translated_errors(model):
        # Weights of the other kind are pickles.
        network = Florence2ForConditionalGeneration.from_pretrained(
            model, dtype=resolved_dtype, use_safetensors=True, **options
        )
        processor = Florence2Processor.from_pretrained(model, **options)
        return Florence(network.to(where).eval(), processor)


def read_image(path: Path) -> "Image.Image":
    """Return upright RGB, at most MAX_SIDE on each side; alpha on black. Raise CaptionError."""
    from PIL import Image, ImageOps
    from pillow_heif import register_heif_opener

    register_heif_opener()
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise CaptionError("the image is too large to be captioned")
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise CaptionError("the image has too many pixels to be captioned")
            image.draft("RGB", (MAX_SIDE, MAX_SIDE))
            image.thumbnail((MAX_SIDE, MAX_SIDE))
            upright = ImageOps.exif_transpose(image).convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as exc:
        raise CaptionError("the image cannot be read") from exc
    return Image.alpha_composite(Image.new("RGBA", upright.size, "black"), upright).convert("RGB")


def _resolve_device(name: str) -> "torch.device":
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as exc:
        raise OptionError(f"unknown device {name!r}: write auto, cpu, cuda or cuda:N") from exc
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise OptionError(f"device: there is no {name} here: write auto or cpu")
    if device.type not in ("cpu", "cuda"):
        raise OptionError(f"device: {name!r} is not supported: write auto, cpu, cuda or cuda:N")
    return device


def _resolve_dtype(name: str, device: "torch.device") -> "torch.dtype":
    import torch

    if name == "auto":
        name = "float32" if device.type == "cpu" else "bfloat16"
    dtype: torch.dtype = getattr(torch, name)
    return dtype


@contextmanager
def _translated_errors(model: str) -> Iterator[None]:
    """Turn what transformers raises for a folder or repository without Florence-2 into OptionError."""
    from safetensors import SafetensorError

    try:
        yield
    except (
        OSError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        RuntimeError,
        ImportError,
        SafetensorError,
    ) as exc:
        reason = str(exc).strip().split("\n")[0] or type(exc).__name__
        raise OptionError(f"model: {model} cannot be loaded as Florence-2: {reason}") from exc
