"""What can be wrong with a weight file. Every message names the file and says what would be right.

WeightsError
+-- FileError             missing, unreadable, cut short, not safetensors
+-- UnsupportedError      a readable file that is not LTX-2.3 distilled, or not in a layout that is read here
+-- TensorError           a tensor is missing, left over, mis-shaped or never loaded
"""

from pathlib import Path


class WeightsError(Exception):
    """Base of everything this package raises on purpose."""


class FileError(WeightsError):
    """The file cannot be read as safetensors."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path


class UnsupportedError(WeightsError):
    """The file is sound, but not one that this server runs."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path


class TensorError(WeightsError):
    """The tensors of a file and the parameters of a module do not match one to one."""
