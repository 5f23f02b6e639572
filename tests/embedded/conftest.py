import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from project.embedded.postgres import EmbeddedPostgres
from project.embedded.throwaway import temporary_root

# As in real life, but for power cuts: a killed process loses nothing that it handed to the system.
QUICK = {"fsync": "off"}


def _folder() -> Path:
    # Short, and open for passing through, as a clone in a usual place is; pytest's own are private.
    folder = Path(tempfile.mkdtemp(prefix="esteira-test-", dir=temporary_root()))
    folder.chmod(0o711)
    return folder


@pytest.fixture
def home() -> Iterator[Path]:
    folder = _folder()
    yield folder
    if (folder / "postgres").exists():
        EmbeddedPostgres(folder).stop("immediate")
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def made_once() -> Iterator[Path]:
    """A home with a cluster that was started and stopped; making one costs more than most tests."""
    folder = _folder()
    server = EmbeddedPostgres(folder, settings=QUICK)
    server.ensure_running()
    server.stop()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def server(home: Path, made_once: Path) -> EmbeddedPostgres:
    subprocess.run(["cp", "-a", made_once / "postgres", home], check=True)
    return EmbeddedPostgres(home, settings=QUICK)


@pytest.fixture
def new_server(home: Path) -> EmbeddedPostgres:
    return EmbeddedPostgres(home, settings=QUICK)
