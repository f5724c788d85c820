"""Read one model's folder as diffusers and transformers write it: config.json, and tensors in one or several files."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weights.checkpoint import StoredTensor
from weights.config_limits import validate_config
from weights.shards import read_json, read_tensors

CONFIG_NAME = "config.json"


@dataclass(frozen=True)
class Component:
    """A model's config and tensors; `stored` has the names that the module itself gives its tensors."""

    path: Path
    config: Mapping[str, Any]
    stored: Mapping[str, StoredTensor]


def read_component(path: Path) -> Component:
    """Read the config, the index and the headers. Raises WeightsError with the name of the wrong file."""
    config = read_json(path / CONFIG_NAME)
    validate_config(path / CONFIG_NAME, config)
    return Component(path, config, read_tensors(path))
