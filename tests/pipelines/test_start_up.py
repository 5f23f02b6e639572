"""A fan-out of 2,000 images starts 2,000 processes: what each one imports is counted."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipelines.step_contract import Job


@pytest.mark.parametrize(
    ("pipeline", "module", "heavy"),
    [
        ("image-set", "image_set.resize", {"PIL.ImageFont", "PIL.ImageCms", "dataclasses", "html"}),
        ("inspect", "file_inspect.inspect_file", {"puremagic", "zipfile", "lzma", "html"}),
        ("document-text", "document_text.read", {"pypdfium2", "PIL", "html"}),
        ("tabular-profile", "tabular_profile.convert", {"duckdb", "openpyxl", "html"}),
    ],
)
def test_step_imports_little_and_starts_fast(tmp_path: Path, pipeline: str, module: str, heavy: set[str]) -> None:
    job = Job(tmp_path, pipeline)
    code = f"import sys, {module}; print(*sys.modules)"

    def seconds_and_modules() -> tuple[float, set[str]]:
        began = _seconds_of_children()
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=job.code, capture_output=True, text=True, check=True, env={}
        )
        return _seconds_of_children() - began, set(done.stdout.split())

    runs = [seconds_and_modules() for _ in range(4)]
    assert not heavy & runs[0][1]
    assert min(seconds for seconds, _ in runs) < 0.15


def _seconds_of_children() -> float:
    """Processor time: what else the machine does is not the step's doing."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
