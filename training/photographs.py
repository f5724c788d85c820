"""Find photographs to judge by. No weight is trained on them.

They come inside of Python packages: `pip install --target FOLDER --no-deps` these, and name the folder.

| package | photographs | licence |
|---|---|---|
| scikit-image | astronaut, retina, hubble_deep_field, rocket | public domain (NASA, Wikimedia Commons), CC0 (SpaceX) |
| scikit-image | chelsea, coffee, camera, motorcycle_left | CC0; Middlebury stereo data, free to use with credit |
| scikit-learn | china, flower | CC BY 2.0 (danielbuechele, vultilion) |
| matplotlib | grace_hopper | public domain (US Navy) |
| scipy 1.11.4 | face | public domain (US government) |
"""

import bz2
from pathlib import Path

import numpy as np
from PIL import Image

PHOTOGRAPHS = (
    "skimage/data/astronaut.png",
    "skimage/data/camera.png",
    "skimage/data/chelsea.png",
    "skimage/data/coffee.png",
    "skimage/data/hubble_deep_field.jpg",
    "skimage/data/motorcycle_left.png",
    "skimage/data/retina.jpg",
    "skimage/data/rocket.jpg",
    "sklearn/datasets/images/china.jpg",
    "sklearn/datasets/images/flower.jpg",
    "matplotlib/mpl-data/sample_data/grace_hopper.jpg",
    "scipy/misc/face.dat",
)
FACE_SHAPE = (768, 1024, 3)


def load_photograph(path: Path) -> Image.Image:
    if path.name == "face.dat":
        pixels = np.frombuffer(bz2.decompress(path.read_bytes()), dtype=np.uint8)
        return Image.fromarray(pixels.reshape(FACE_SHAPE))
    with Image.open(path) as picture:
        return picture.convert("RGB")


def load_photographs(folder: Path) -> dict[str, Image.Image]:
    """Return all of them by name. Raises FileNotFoundError for one that is missing."""
    return {Path(name).stem: load_photograph(folder / name) for name in PHOTOGRAPHS}


def cropped(picture: Image.Image, width: int, height: int) -> Image.Image:
    """Scale to cover width x height and cut out the centre."""
    scale = max(width / picture.width, height / picture.height)
    size = (max(width, round(picture.width * scale)), max(height, round(picture.height * scale)))
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return picture.resize(size, Image.Resampling.BICUBIC).crop((left, top, left + width, top + height))
