"""Tests with a real SGLang: `make test-sglang`. SGLang takes half a minute to start, so most tests share one."""

import asyncio
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sglang.on_cpu import running_sglang
from tests.sglang.tiny_llama import write_tiny_llama

# Enough for two starts of SGLang on a busy machine.
GUARD_S = 900


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}
    asyncio.run(asyncio.wait_for(pyfuncitem.obj(**arguments), GUARD_S))
    return True


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("llama")
    write_tiny_llama(folder)
    return folder


@pytest.fixture(scope="session")
def sglang_url(tiny_llama: Path) -> Iterator[str]:
    with running_sglang(tiny_llama) as url:
        yield url
