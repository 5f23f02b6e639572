import os
import sys
from pathlib import Path

import pytest

from tests.pipelines.step_contract import Used, run_measured

MIB = 1024**2


def run(code: str, folder: Path) -> Used:
    command = [sys.executable, "-I", "-S", "-c", code]
    return run_measured(command, folder=folder, environment=dict(os.environ), log=folder / "log")


def test_size_of_the_tests_does_not_count(tmp_path: Path) -> None:
    held = bytearray(b"x") * (400 * MIB)

    used = run("pass", tmp_path)

    assert len(held) == 400 * MIB
    assert 1 * MIB < used.peak_memory_bytes < 100 * MIB


def test_what_a_step_uses_counts_with_its_exit_and_words(tmp_path: Path) -> None:
    used = run("held = bytearray(b'x') * (200 << 20); print('done'); raise SystemExit(65)", tmp_path)

    assert used.peak_memory_bytes > 200 * MIB
    assert used.cpu_s > 0
    assert (used.code, (tmp_path / "log").read_text()) == (65, "done\n")


def test_step_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.pipelines.step_contract._MOST_SECONDS", 1)

    used = run("import time; time.sleep(60)", tmp_path)

    assert used.code == -9
