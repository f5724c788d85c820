"""The settings of torch's allocators, tested in a separate process because torch reads them once."""

import os
import subprocess
import sys

import pytest

from server.process.torch_environment import VARIABLES, configure_allocator, known_options, with_options

PROGRAM = f"""
from {configure_allocator.__module__} import configure_allocator

configure_allocator()
import torch
print(torch._C._accelerator_getAllocatorSettings())
"""


@pytest.mark.parametrize(
    ("environment", "settings"),
    [
        ({}, "expandable_segments:True,pinned_max_cached_size_mb:1"),
        ({"PYTORCH_ALLOC_CONF": ""}, "expandable_segments:True,pinned_max_cached_size_mb:1"),
        (
            {"PYTORCH_ALLOC_CONF": "expandable_segments:False"},
            "expandable_segments:False,pinned_max_cached_size_mb:1",
        ),
        (
            {"PYTORCH_CUDA_ALLOC_CONF": "roundup_power2_divisions:[256:1,>:4]"},
            "roundup_power2_divisions:[256:1,>:4],expandable_segments:True,pinned_max_cached_size_mb:1",
        ),
    ],
)
def test_options_that_the_environment_does_not_set_are_set(environment: dict[str, str], settings: str) -> None:
    env = {name: value for name, value in os.environ.items() if name not in VARIABLES} | environment
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{settings}\n"


def test_a_version_of_torch_gets_only_options_that_it_knows() -> None:
    assert with_options("", known_options("2.13.0+cu130")) == "expandable_segments:True,pinned_max_cached_size_mb:1"
    assert with_options("", known_options("2.11.0")) == "expandable_segments:True"
