"""Choose the devices that get a worker each. A separate process counts the GPUs: the server never imports torch."""

import subprocess
import sys

from server.settings import Settings, setting_error

ALL = "all"
COUNT_GPUS = "import torch; print(torch.cuda.device_count())"


def resolve_devices(settings: Settings) -> Settings:
    """Replace `all` by every GPU that torch sees. Raises SettingsError if it sees none."""
    if settings.devices != (ALL,):
        return settings
    count = count_gpus()
    if not count:
        raise setting_error("devices", "torch sees no GPU here; name the devices, such as cuda:0,cuda:1 or cpu")
    return settings.model_copy(update={"devices": tuple(f"cuda:{index}" for index in range(count))})


def count_gpus() -> int:
    """Return the number of GPUs. Raises SettingsError if torch cannot count them."""
    found = subprocess.run([sys.executable, "-P", "-c", COUNT_GPUS], capture_output=True, text=True, check=False)
    if found.returncode:
        reason = (found.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise setting_error("devices", f"torch cannot count the GPUs: {reason}")
    return int(found.stdout)
