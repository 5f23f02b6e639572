"""Runs the steps of a built-in pipeline as the platform would (design note 0001, section 3), without the platform."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_MOST_SECONDS = 240
MEASURE = Path(__file__).with_name("measure.py")
PIPELINES = Path(__file__).parents[2] / "orchestration" / "pipelines"


@dataclass(frozen=True)
class Used:
    """What a process itself used, whatever the size of the tests that started it."""

    code: int
    peak_memory_bytes: int
    cpu_s: float


@dataclass(frozen=True)
class Ended:
    """How one item of a step ended."""

    code: int
    log: str
    outputs: Path
    peak_memory_bytes: int
    cpu_s: float

    @property
    def sentence(self) -> str:
        lines = [line for line in self.log.splitlines() if line.startswith("::error ")]
        return lines[-1].removeprefix("::error ") if lines else ""

    def names(self) -> set[str]:
        return {str(path.relative_to(self.outputs)) for path in self.outputs.rglob("*") if path.is_file()}

    def json(self, name: str) -> Any:
        return json.loads((self.outputs / name).read_bytes())

    def text(self, name: str) -> str:
        return (self.outputs / name).read_text("utf-8-sig")


@dataclass
class Job:
    """One job over one published pipeline: its folder of code, its parameters, its items so far."""

    folder: Path
    pipeline: str
    params: dict[str, Any] = field(default_factory=dict)
    succeeded: list[tuple[str, int, str, Path]] = field(default_factory=list)
    failed: list[dict[str, Any]] = field(default_factory=list)
    _runs: int = 0

    def __post_init__(self) -> None:
        self.folder = self.folder.resolve()
        self.spec = yaml.safe_load((PIPELINES / self.pipeline / "pipeline.yaml").read_text())
        properties = self.spec["params"]["properties"]
        self.params = {name: value["default"] for name, value in properties.items()} | self.params
        self.code = self.folder / "code"
        home = PIPELINES / self.pipeline
        for source in (home, *(home / included for included in self.spec.get("include", []))):
            shutil.copytree(source, self.code, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))

    def step(self, name: str) -> dict[str, Any]:
        return dict(next(each for each in self.spec["steps"] if each["name"] == name))

    def item(self, name: str, source: Path, number: int = 0, known_as: str = "", *, is_measured: bool = True) -> Ended:
        """Run a step with `for_each: input` over one file; not measured, it takes half the time."""
        known_as = known_as or source.name
        entry = _entry(known_as, source, known_as, None, None, None)
        ended = self._run(name, number, [(entry, source)], failed=[], is_measured=is_measured)
        if ended.code == 0:
            self.succeeded.append((name, number, known_as, ended.outputs))
        else:
            kind = "INPUT" if ended.code == os.EX_DATAERR else "USER_CODE"
            self.failed.append(
                {"step": name, "item": number, "source": known_as, "failure_kind": kind, "detail": ended.sentence}
            )
        return ended

    def gather(self, name: str) -> Ended:
        """Run a step that needs others, over all that they left."""
        needs = set(self.step(name)["needs"])
        files = []
        for step, number, source, outputs in self.succeeded:
            if step in needs:
                for path in sorted(outputs.rglob("*")):
                    if path.is_file():
                        own = str(path.relative_to(outputs))
                        files.append((_entry(f"{step}/{number}/{own}", path, own, step, number, source), path))
        return self._run(name, 0, files, failed=[each for each in self.failed if each["step"] in needs])

    def _run(
        self,
        name: str,
        number: int,
        files: list[tuple[dict[str, Any], Path]],
        *,
        failed: list[dict[str, Any]],
        is_measured: bool = True,
    ) -> Ended:
        self._runs += 1
        place = self.folder / f"{name}-{number}-{self._runs}"
        folders = {part: place / part for part in ("inputs", "outputs", "scratch")}
        for folder in folders.values():
            folder.mkdir(parents=True)
        for entry, source in files:
            link = folders["inputs"] / entry["path"]
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(source.resolve())
        index = {"files": [entry for entry, _ in files], "failed_items": failed}
        (folders["inputs"] / "index.json").write_text(json.dumps(index))
        (place / "params.json").write_text(json.dumps(self.params))
        return self._spawn(
            self.step(name)["command"], number, place, folders, run_measured if is_measured else run_plain
        )

    def _spawn(
        self, command: list[str], number: int, place: Path, folders: dict[str, Path], run: Callable[..., Used]
    ) -> Ended:
        environment = {
            "ESTEIRA_INPUTS": str(folders["inputs"]),
            "ESTEIRA_PARAMS": str(place / "params.json"),
            "ESTEIRA_OUTPUTS": str(folders["outputs"]),
            "ESTEIRA_ITEM": str(number),
            "ESTEIRA_ATTEMPT_ID": f"attempt-{self._runs}",
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(self.code),
            "PYTHONUNBUFFERED": "1",
            "TMPDIR": str(folders["scratch"]),
            "HOME": str(folders["scratch"]),
        }
        log = place / "log"
        used = run(command, folder=folders["scratch"], environment=environment, log=log)
        text = log.read_text("utf-8", errors="replace")
        return Ended(used.code, text, folders["outputs"], used.peak_memory_bytes, used.cpu_s)


def run_plain(command: list[str], *, folder: Path, environment: dict[str, str], log: Path) -> Used:
    with log.open("wb") as sink:
        done = subprocess.run(
            command, cwd=folder, env=environment, stdout=sink, stderr=sink, timeout=_MOST_SECONDS, check=False
        )
    return Used(done.returncode, 0, 0)


def run_measured(command: list[str], *, folder: Path, environment: dict[str, str], log: Path) -> Used:
    read, write = os.pipe()
    with log.open("wb") as sink, os.fdopen(read, "rb") as report:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", MEASURE, str(write), *command],
            cwd=folder,
            env=environment,
            stdout=sink,
            stderr=sink,
            pass_fds=[write],
            start_new_session=True,
        )
        os.close(write)
        # The step is a grandchild; both are of one session.
        watchdog = threading.Timer(_MOST_SECONDS, os.killpg, [process.pid, signal.SIGKILL])
        watchdog.start()
        told = report.read()
        process.wait()
        watchdog.cancel()
    return Used(**json.loads(told)) if told else Used(-signal.SIGKILL, 0, 0)


def _entry(path: str, file: Path, name: str, step: str | None, item: int | None, source: str | None) -> dict[str, Any]:
    return {
        "path": path,
        "name": name,
        "media_type": "application/octet-stream",
        "size": file.stat().st_size,
        "sha256": "",
        "file_id": f"{step}-{item}-{name}",
        "step": step,
        "item": item,
        "source": source,
    }
