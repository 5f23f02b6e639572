"""Packs the runner as one zipapp. The same sources and the same Python give the same bytes.

Each module is in it twice: compiled, for the Python that builds, and as source, for every other one. The
import takes the first that fits. This module is not part of it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import marshal
import os
import stat
import zipfile
from pathlib import Path

PACKAGE = "esteira_runner"
HERE = Path(__file__).parent
START = f"from {PACKAGE}.__main__ import run\nrun()\n"
EPOCH = (1980, 1, 1, 0, 0, 0)
MODE = stat.S_IFREG | 0o644
LEFT_OUT = {"build.py"}
UNCHECKED_HASH = (1).to_bytes(4, "little")


def build(target: Path) -> Path:
    """Writes the zipapp to `target`, whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(_contents().items()):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.external_attr = MODE << 16
            archive.writestr(entry, content)
    part.replace(target)
    return target


def digest(target: Path) -> str:
    return hashlib.sha256(target.read_bytes()).hexdigest()


def _contents() -> dict[str, bytes]:
    contents = _twice("__main__", START.encode())
    for path in HERE.glob("*.py"):
        if path.name not in LEFT_OUT:
            contents |= _twice(f"{PACKAGE}/{path.stem}", path.read_bytes())
    return contents


def _twice(name: str, source: bytes) -> dict[str, bytes]:
    code = compile(source, f"{name}.py", "exec", dont_inherit=True, optimize=2)
    # PEP 552: by hash and unchecked, because the date of a zip entry says nothing about its source.
    header = importlib.util.MAGIC_NUMBER + UNCHECKED_HASH + importlib.util.source_hash(source)
    return {f"{name}.py": source, f"{name}.pyc": header + marshal.dumps(code)}
