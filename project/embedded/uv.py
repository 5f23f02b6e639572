"""uv: one that is on PATH if it is recent enough, else the one that the requirement files pin."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from project.embedded import debian
from project.embedded.console import GiveUp, say

OLDEST = (0, 9)
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
TAIL_LINES = 8
# What a person's shell may carry that would point uv or pip somewhere else.
MISLEADING = (
    "VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONHOME", "PYTHONPATH", "UV_PYTHON", "UV_PROJECT_ENVIRONMENT",
    "UV_SYSTEM_PYTHON", "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_REQUIRE_VIRTUALENV",
)  # fmt: skip


def find_uv(*, work: Path, requirements: Path, pythons: Sequence[Path]) -> Path:
    """A uv that runs; `work` is a folder of ours, `pythons` are interpreters that may have pip."""
    kept = work / "uv"
    on_path = [Path(folder) / "uv" for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    for candidate in (*on_path, kept / "bin" / "uv"):
        if os.access(candidate, os.X_OK) and _is_recent(candidate):
            return candidate
    say("Getting uv, which installs the rest …")
    fresh = Path(tempfile.mkdtemp(prefix="uv.new-", dir=work))
    try:
        _install(fresh, requirements=requirements, pythons=pythons, work=work)
        shutil.rmtree(kept, ignore_errors=True)
        fresh.rename(kept)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return kept / "bin" / "uv"


def _is_recent(uv: Path) -> bool:
    try:
        said = subprocess.run([uv, "--version"], capture_output=True, text=True, timeout=20, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return False
    numbers = re.match(r"uv (\d+)\.(\d+)", said)
    return numbers is not None and (int(numbers[1]), int(numbers[2])) >= OLDEST


def _install(target: Path, *, requirements: Path, pythons: Sequence[Path], work: Path) -> None:
    pin = re.search(r"^uv==.*(?:\n +--hash.*)+", requirements.read_text(encoding="utf-8"), re.MULTILINE)
    if pin is None:
        raise GiveUp(f"{requirements} pins no uv. Run `git checkout {requirements}` and try again.")
    with tempfile.TemporaryDirectory(dir=work) as scratch:
        wanted = Path(scratch) / "uv.txt"
        wanted.write_text(pin[0].rstrip("\\ "), encoding="utf-8")
        pip = _find_pip(pythons, scratch=Path(scratch))
        install = ["install", "--require-hashes", "--no-deps", "--only-binary=:all:", "--no-input"]
        run_or_give_up(
            [*pip, *install, "--target", str(target), "-r", str(wanted)], "Getting uv from the package index"
        )


def _find_pip(pythons: Sequence[Path], *, scratch: Path) -> list[str]:
    candidates = [str(python) for python in (*pythons, Path(sys.executable), Path("/usr/bin/python3"))]
    for python in candidates:
        if _works([python, "-m", "pip", "--version"]):
            return [python, "-m", "pip"]
    for python in candidates:
        if _works([python, "-m", "venv", "--clear", str(scratch / "venv")]):
            return [str(scratch / "venv" / "bin" / "python"), "-m", "pip"]
    if debian.can_install():
        say("This Python has no pip: installing python3-pip with apt-get …")
        if debian.install("python3-pip") and _works(["/usr/bin/python3", "-m", "pip", "--version"]):
            return ["/usr/bin/python3", "-m", "pip"]
    how = "run `apt-get install python3-pip`" if debian.is_debian() else "install your system's pip for Python 3"
    raise GiveUp(
        f"This machine has neither uv nor pip, and one of them is needed to get the rest. As root, {how}; "
        "or put uv on your PATH. Then run the command again."
    )


def _works(command: list[str]) -> bool:
    try:
        done = subprocess.run(
            command, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def environment(*, spare_cache: Path | None = None) -> dict[str, str]:
    """The caller's environment without what misleads, with a cache that can be written."""
    kept = {name: value for name, value in os.environ.items() if name not in MISLEADING}
    kept["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    kept["PIP_ROOT_USER_ACTION"] = "ignore"
    if CERTIFICATES.exists():  # the machine may trust an authority that uv does not know, such as a proxy's
        kept.setdefault("UV_SYSTEM_CERTS", "true")
        kept.setdefault("UV_NATIVE_TLS", "true")
    if not sys.stderr.isatty():
        kept.setdefault("UV_NO_PROGRESS", "true")
    if spare_cache and "UV_CACHE_DIR" not in kept and not _has_cache():
        kept["UV_CACHE_DIR"] = str(spare_cache / "cache")
        kept.setdefault("UV_PYTHON_INSTALL_DIR", str(spare_cache / "pythons"))
    return kept


def _has_cache() -> bool:
    home = os.environ.get("HOME")
    if not home:
        return False
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path(home) / ".cache")
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    uvs = cache / "uv"
    return os.access(uvs if uvs.exists() else cache, os.W_OK)


def run_or_give_up(
    command: list[str], doing: str, *, env: dict[str, str] | None = None, keep_open: Sequence[int] = ()
) -> None:
    done = subprocess.run(
        command,
        env=env or environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        pass_fds=keep_open,
        check=False,
    )
    if done.returncode != 0:
        tail = "\n".join(f"  {line}" for line in (done.stderr or done.stdout).strip().splitlines()[-TAIL_LINES:])
        raise GiveUp(f"{doing} failed:\n{tail}\nNothing is broken: mend the cause and run the command again.")
