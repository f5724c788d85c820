"""Choose a worker's device and how much of its memory to use. Imports torch."""

import os
import shutil
import subprocess
from pathlib import Path

import torch

from server.worker.available_memory import available_host_bytes
from weights.errors import WeightsError

# What NVIDIA's driver shows of its cards.
CARD_FILES = ("dev/nvidia[0-9]*", "proc/driver/nvidia/gpus/*")

# The oldest driver by the major version of CUDA that torch was built for.
DRIVERS = {"12": "R525", "13": "R580"}


# A driver in trouble may never answer.
NVIDIA_SMI_TIMEOUT_S = 20


class DeviceError(WeightsError):
    """The device is not there, or torch cannot use it."""


def resolve_device(name: str) -> torch.device:
    """Return the named device, or for `auto` the first card that torch can use, else the CPU. Raises DeviceError."""
    refusal = None if name == "cpu" else cuda_refusal()
    if name == "auto":
        name = "cpu" if refusal else "cuda"
    try:
        device = torch.device(name)
    except RuntimeError as exc:
        raise DeviceError(f"unknown device {name!r}: write auto, cpu, cuda or cuda:N") from exc
    if device.type != "cuda":
        return device
    # NVML counts cards that torch cannot use, too.
    if (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(f"device {name!r} is not there: torch sees {torch.cuda.device_count()} CUDA devices")
    if refusal:
        raise DeviceError(f"device {name!r}: {refusal}; {remedy(torch.version.cuda)}")
    # For tensors without an explicit device, which would go to the first GPU, perhaps another worker's.
    device = torch.device("cuda", device.index or 0)
    torch.cuda.set_device(device)
    return device


def resolve_capacity(device: torch.device, limit_bytes: int | None) -> int:
    """Return the bytes available to the models and their clips: the GPU's free memory, or the host's without a GPU.

    limit_bytes: an upper bound, or None.
    """
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else available_host_bytes()
    return free if limit_bytes is None else min(free, limit_bytes)


def limit_memory(device: torch.device, limit_bytes: int | None) -> None:
    """Make torch refuse to allocate more of a card's memory than this. The CUDA context's memory comes on top."""
    if device.type == "cuda" and limit_bytes is not None:
        total_bytes = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction(memory_fraction(limit_bytes, total_bytes), device.index)


def memory_fraction(limit_bytes: int, total_bytes: int) -> float:
    return min(limit_bytes / total_bytes, 1.0)


def cuda_refusal() -> str | None:
    """Return torch's reason why it can use no card, or None if it can use one."""
    try:
        torch.cuda.init()  # type: ignore[no-untyped-call]
    except (RuntimeError, AssertionError) as exc:
        return " ".join(str(exc).split())
    return None


def unusable_card() -> str | None:
    """Return an error message if this machine has an NVIDIA card that torch cannot use, else None."""
    refusal = cuda_refusal()
    if refusal is None or is_hidden(os.environ.get("CUDA_VISIBLE_DEVICES")):
        return None
    return describe_refusal(refusal, torch.version.cuda) if has_card() else None


def describe_refusal(refusal: str, cuda_version: str | None) -> str:
    return f"this machine has an NVIDIA card, but torch cannot use it: {refusal}; {remedy(cuda_version)}"


def remedy(cuda_version: str | None) -> str:
    """Return what makes torch use a card. cuda_version: the one that torch was built for, None without CUDA."""
    if cuda_version is None:
        needed = "a build of torch with CUDA"
    else:
        needed = f"NVIDIA's driver {DRIVERS.get(cuda_version.partition('.')[0], 'for CUDA ' + cuda_version)} or newer"
    return f"install {needed}, or run on the CPU with --device cpu"


def is_hidden(visible_devices: str | None) -> bool:
    """Return whether CUDA_VISIBLE_DEVICES hides every card."""
    return visible_devices is not None and visible_devices.strip() in ("", "-1")


def has_card(root: Path = Path("/")) -> bool:
    """Return whether there is an NVIDIA card: its files below `root`, or nvidia-smi's list, as under Windows."""
    return any(any(root.glob(pattern)) for pattern in CARD_FILES) or bool(list_cards())


def list_cards() -> str:
    """Return nvidia-smi's list of cards, empty if it finds none, is not installed or does not answer."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    try:
        found = subprocess.run(
            [program, "-L"], capture_output=True, text=True, check=False, timeout=NVIDIA_SMI_TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        return ""
    return "" if found.returncode else found.stdout
