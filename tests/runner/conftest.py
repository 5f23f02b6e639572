"""The built runner, a platform for it, and nothing left behind."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from orchestration.runner.build import build
from tests.runner.fake import Platform, Runner, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("runner") / "runner.pyz")


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    with serving(Platform(tmp_path)) as running:
        yield running


@pytest.fixture
def launch(pyz: Path, platform: Platform) -> Iterator[Callable[..., Runner]]:
    """Starts a runner with the platform's order; everything that it leaves is ended after the test."""
    started: list[Runner] = []

    def start(*more: str, python: str = sys.executable) -> Runner:
        runner = Runner(pyz, platform, *more, python=python)
        started.append(runner)
        return runner

    yield start
    for runner in started:
        runner.end()
