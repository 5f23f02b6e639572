"""The second check: what the schema cannot say about steps, accepted files and included folders."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from orchestration.spec import graph
from orchestration.spec.model import Accepts
from orchestration.spec.problems import did_you_mean, listed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path as Folder

    from orchestration.spec.problems import Problem
    from orchestration.spec.source import Path, Source

# `for_each: <step>` is to mean something one day, and a step of this name would make it ambiguous.
_RESERVED = "input"


def check_steps(source: Source) -> Iterator[Problem]:
    names = _names(source)
    for index, name in names.items():
        path: Path = ("steps", index, "name")
        first = next(i for i, other in names.items() if other == name)
        if first != index:
            yield source.problem(path, f'"{name}" is the name of steps[{first}] already')
        if name == _RESERVED:
            yield source.problem(path, f'"{name}" is reserved; choose another name')
    yield from _check_needs(source, names)
    for index, step in _steps(source):
        if "tolerate" in step and "for_each" not in step:
            message = "works only together with `for_each: input`; without items there is nothing to tolerate"
            yield source.problem(("steps", index, "tolerate"), message, at_key=True)


def warn_of_steps(source: Source) -> Iterator[Problem]:
    """What is allowed and will be regretted."""
    for index, step in _steps(source):
        path: Path = ("steps", index, "image")
        image = step.get("image", "builtin")
        if not source.is_spoilt(path) and image != "builtin" and "@sha256:" not in image:
            message = f"{image} may be another image tomorrow; pin it with its digest (@sha256:…)"
            yield source.problem(path, message)


def check_accepts(source: Source) -> Iterator[Problem]:
    accepts = source.data.get("accepts")
    if not isinstance(accepts, dict):
        return
    usual = Accepts()
    faults = [key for key in ("min_files", "max_files") if source.is_spoilt(("accepts", key))]
    fewest, most = accepts.get("min_files", usual.min_files), accepts.get("max_files", usual.max_files)
    if not faults and fewest > most:
        message = f"is {fewest}, more than max_files, which is {most}"
        yield source.problem(("accepts", "min_files"), message)


def check_include(source: Source, *, folder: Folder, root: Folder) -> Iterator[Problem]:
    include = source.data.get("include")
    for index, name in enumerate(include if isinstance(include, list) else []):
        path: Path = ("include", index)
        if not source.is_spoilt(path) and (fault := include_fault(name, folder=folder, root=root)):
            yield source.problem(path, fault)


def include_fault(name: str, *, folder: Folder, root: Folder) -> str:
    """Why `name` cannot be packed, or nothing. A link is a fault: what it names may be anywhere."""
    place, top = folder.resolve(), root.resolve()
    for part in PurePosixPath(name).parts:
        place = place.parent if part == ".." else place / part
        if not place.is_relative_to(top):
            return f'"{name}" leads out of {root}'
        if place.is_symlink():
            return f'"{name}" is reached through a symbolic link'
    return "" if place.is_dir() else f'there is no folder "{name}"'


def _steps(source: Source) -> list[tuple[int, dict[str, Any]]]:
    steps = [] if source.is_spoilt(("steps",)) else source.data["steps"]
    every = enumerate(steps)
    return [(index, step) for index, step in every if isinstance(step, dict)]


def _names(source: Source) -> dict[int, str]:
    return {i: step["name"] for i, step in _steps(source) if isinstance(step.get("name"), str)}


def _check_needs(source: Source, names: dict[int, str]) -> Iterator[Problem]:
    needs: dict[str, list[str]] = {}
    place: dict[str, Path] = {}
    for index, step in _steps(source):
        wanted = step.get("needs")
        own = names.get(index)
        for position, need in enumerate(wanted if isinstance(wanted, list) else []):
            path: Path = ("steps", index, "needs", position)
            if source.is_spoilt(path):
                continue
            if need == own:
                yield source.problem(path, f'"{need}" is this step itself')
            elif need not in names.values():
                known = [name for name in names.values() if name != own]
                hint = did_you_mean(need, known) or (f"; the others are {listed(known)}" if known else "")
                yield source.problem(path, f'there is no step "{need}"{hint}')
            elif own is not None:
                needs.setdefault(own, []).append(need)
                place.setdefault(own, ("steps", index, "needs"))
        if own is not None:
            needs.setdefault(own, [])
    for circle in graph.cycles(needs):
        ring = " → ".join([*circle, circle[0]])
        yield source.problem(place[circle[0]], f"steps need each other in a circle: {ring}")
