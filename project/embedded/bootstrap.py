"""Set-up without prerequisites: from a clean clone to a filled `.venv`, on a machine with Python ≥ 3.11.

Standard library only, for it runs before anything is installed:
`python3 -m project.embedded.bootstrap setup` (or `ensure chromium bubblewrap`); `make` calls it.
"""

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path

from project.embedded import debian
from project.embedded.console import GiveUp, say
from project.embedded.interpreter import find_interpreter, probe
from project.embedded.uv import environment, find_uv, run_or_give_up

REPO = Path(__file__).resolve().parents[2]
REQUIREMENTS = Path("deploy/requirements/dev.txt")
OLDEST_TO_SET_UP = (3, 11)


class Setup:
    def __init__(self, repo: Path = REPO) -> None:
        self.repo = repo
        self.venv = repo / ".venv"
        self.python = self.venv / "bin" / "python"
        self.stamp = self.venv / "esteira-setup"
        self.work = repo / "build" / "setup"
        # Lies outside `.venv`: while it is there, what is in `.venv` cannot be trusted.
        self.unfinished = self.work / "unfinished"
        self.version = (repo / ".python-version").read_text(encoding="utf-8").strip()

    def run(self) -> None:
        if self._is_done():
            return
        self.work.mkdir(parents=True, exist_ok=True)
        with (self.work / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("Another set-up runs in this clone; waiting for it …")
                fcntl.flock(lock, fcntl.LOCK_EX)
            if not self._is_done():
                began = time.monotonic()
                self._fill(lock.fileno())
                say(f"Set up in {time.monotonic() - began:.0f} s.")

    def _is_done(self) -> bool:
        try:
            done = self.stamp.read_text(encoding="utf-8") == self._fingerprint()
        except FileNotFoundError:
            return False
        return done and os.access(self.python, os.X_OK) and not self.unfinished.exists()

    def _fingerprint(self) -> str:
        """Changes when `.venv` has to change: other pins, other Python, other package metadata, moved clone."""
        project = tomllib.loads((self.repo / "pyproject.toml").read_text(encoding="utf-8"))
        metadata = repr([project["project"], project["build-system"], project["tool"]["hatch"]])
        content = [self.version, str(self.repo), metadata, (self.repo / REQUIREMENTS).read_text(encoding="utf-8")]
        return hashlib.sha256("\0".join(content).encode()).hexdigest()

    def _fill(self, lock: int) -> None:
        # The children hold the lock too: were we killed, they would go on writing into `.venv`.
        wanted = self._fingerprint()
        interpreter = find_interpreter(self.version)
        uv = find_uv(
            work=self.work,
            requirements=self.repo / REQUIREMENTS,
            pythons=[interpreter] if interpreter else [],
        )
        env = environment(spare_cache=self.repo / "build" / "uv")
        interpreter = interpreter or self._managed_interpreter(uv, env)
        current = probe(self.python, self.version)
        can_stay = current is not None and current.samefile(interpreter) and not self.unfinished.exists()
        self.unfinished.touch()
        if not can_stay:
            say(f"Making .venv with {interpreter} …")
            make = [str(uv), "venv", "--clear", "--no-project", "--python", str(interpreter), str(self.venv)]
            run_or_give_up(make, "Making .venv", env=env, keep_open=[lock])
        say("Installing the pinned packages …")
        into = ["--python", str(self.python), "--quiet"]
        sync = [str(uv), "pip", "sync", *into, "--require-hashes", str(self.repo / REQUIREMENTS)]
        run_or_give_up(sync, "Installing the packages", env=env, keep_open=[lock])
        own = [str(uv), "pip", "install", *into, "--no-deps", "--no-build-isolation", "-e", str(self.repo)]
        run_or_give_up(own, "Installing Esteira itself", env=env, keep_open=[lock])
        self.stamp.write_text(wanted, encoding="utf-8")
        self.unfinished.unlink()

    def _managed_interpreter(self, uv: Path, env: dict[str, str]) -> Path:
        find = [str(uv), "python", "find", "--managed-python", "--no-project", self.version]
        for attempt in range(2):
            found = subprocess.run(find, env=env, capture_output=True, text=True, check=False)
            if found.returncode == 0 and (runs := probe(Path(found.stdout.strip()), self.version)):
                return runs
            if attempt == 0:
                say(f"No Python {self.version} here: uv fetches one …")
                get = [str(uv), "python", "install", "--no-bin", self.version]
                fetched = subprocess.run(get, env=env, capture_output=True, text=True, check=False)
                if fetched.returncode != 0:
                    break
        raise GiveUp(
            f"Esteira runs on Python {self.version}, which is not on this machine, and uv could not fetch it "
            f"(is there an internet connection?). Install it (`apt-get install python{self.version}` where your "
            f"system has it, or pyenv) so that `python{self.version}` starts it, and run the command again."
        )


def ensure(names: list[str], *, optional: bool) -> None:
    for name in names:
        program = debian.PROGRAMS[name]
        if debian.ensure(program) is None:
            missing = f"{program.title} is missing, for {program.needed_for}. {program.how_to_get()}"
            if not optional:
                raise GiveUp(missing)
            say(f"{missing} Tests that need it are skipped.")


def clean(repo: Path = REPO) -> None:
    for folder in (".venv", "build", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".import_linter_cache"):
        shutil.rmtree(repo / folder, ignore_errors=True)
    say("Removed .venv, build and the caches. Your data in var/ is untouched.")


def main() -> None:
    if sys.version_info < OLDEST_TO_SET_UP:
        raise GiveUp("Set-up needs Python 3.11 or newer. Call `make PYTHON=/path/of/a/newer/python3 …`.")
    parser = argparse.ArgumentParser(prog="bootstrap", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("setup", help="fill .venv")
    commands.add_parser("clean", help="remove what set-up made")
    ensure_parser = commands.add_parser("ensure", help="install programs that are not Python packages")
    ensure_parser.add_argument("names", nargs="+", choices=sorted(debian.PROGRAMS))
    ensure_parser.add_argument("--optional", action="store_true", help="only say what is missing")
    asked = parser.parse_args()
    match asked.command:
        case "setup":
            Setup().run()
        case "clean":
            clean()
        case "ensure":
            ensure(asked.names, optional=asked.optional)


if __name__ == "__main__":
    main()
