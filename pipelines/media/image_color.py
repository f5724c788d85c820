"""Convert a decoded picture to 8-bit sRGB: apply its colour profile, and lay transparency over black."""

from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

# The mode to which a picture's profile applies; RGB for any other mode.
_PROFILE_MODES = {"1": "L", "L": "L", "LA": "L", "CMYK": "CMYK"}
# The colour space of profiles for each mode.
_PROFILE_SPACES = {"RGB": "RGB ", "L": "GRAY", "CMYK": "CMYK"}


def to_srgb(image: Image.Image) -> Image.Image:
    """Return an RGB picture. One without a colour profile is assumed to be sRGB; a broken profile is ignored."""
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I;16"):
        image = _from_16_bit(image)
    if not image.has_transparency_data:
        return _colours(image, profile)
    rgba = image.convert("RGBA")
    if profile:
        alpha = rgba.getchannel("A")
        rgba = _colours(image, profile).convert("RGBA")
        rgba.putalpha(alpha)
    return Image.merge("RGB", rgba.convert("RGBa").split()[:3])


def _colours(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return the colours as RGB, without transparency."""
    if profile:
        mode = _PROFILE_MODES.get(image.mode, "RGB")
        image = _apply_profile(image.convert(mode), profile)
    return image.convert("RGB")


def _apply_profile(image: Image.Image, data: bytes) -> Image.Image:
    try:
        profile = ImageCms.ImageCmsProfile(BytesIO(data))
        if profile.profile.xcolor_space != _PROFILE_SPACES[image.mode]:
            return image
        converted = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, AttributeError):
        return image
    return image if converted is None else converted


def _from_16_bit(image: Image.Image) -> Image.Image:
    samples = np.asarray(image)
    grey = (samples >> 8).astype(np.uint8)
    if "transparency" in image.info:
        grey[samples == image.info["transparency"]] = 0
    return Image.fromarray(grey)
