"""Inputs from the platform's folder to where the task wants them, outputs back from where it says they are."""

from __future__ import annotations

import glob
import json
import os
import shutil
from pathlib import Path
from typing import Any

STREAMS = ("stdin", "stdout", "stderr")


class MissingError(Exception):
    """An output that the task promised is not there."""


def bring_inputs(task: dict[str, Any]) -> None:
    top = Path(os.environ["ESTEIRA_INPUTS"])
    index = json.loads((top / "index.json").read_text(encoding="utf-8"))["files"]
    paths = {one["file_id"]: one["path"] for one in index}
    for wanted in task.get("inputs", []):
        target = Path(wanted["path"])
        target.parent.mkdir(parents=True, exist_ok=True)
        # A copy: what the platform keeps may be the same bytes on the disk, and a task may write to its input.
        shutil.copyfile(top / paths[wanted["file"]], target)
        target.chmod(0o755)


def make_folders(task: dict[str, Any]) -> None:
    """Every place that a command or an output names must be there before it starts."""
    folders = [Path(volume) for volume in task.get("volumes", [])]
    for output in task.get("outputs", []):
        place = Path(output["path"])
        is_folder = output.get("type") == "DIRECTORY"
        folders.append(place if is_folder else place.parent)
    for executor in task["executors"]:
        folders += [Path(executor["workdir"])] if executor.get("workdir") else []
        folders += [Path(executor[name]).parent for name in STREAMS if executor.get(name)]
    for folder in folders:
        if not glob.has_magic(str(folder)):
            folder.mkdir(parents=True, exist_ok=True)


def hand_over(outputs: list[dict[str, Any]]) -> None:
    """A result's name is its path without the first `/`, so that it is known again."""
    top = Path(os.environ["ESTEIRA_OUTPUTS"])
    for output in outputs:
        for path in _found(output):
            target = top / str(path).lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


def _found(output: dict[str, Any]) -> list[Path]:
    place = output["path"]
    if output.get("type") == "DIRECTORY":
        return _files_in(Path(place))
    if glob.has_magic(place):
        return [Path(name) for name in sorted(glob.glob(place)) if Path(name).is_file()]  # noqa: PTH207  absolute
    if not Path(place).is_file():
        raise MissingError(f"there is no file {place}")
    return [Path(place)]


def _files_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise MissingError(f"there is no folder {folder}")
    return sorted(path for path in folder.rglob("*") if path.is_file())
