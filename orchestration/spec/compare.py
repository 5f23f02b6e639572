"""What differs between two versions of a pipeline, in the words of its pipeline.yaml. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from orchestration.spec.units import format_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orchestration.spec.model import PipelineSpec

_PLAIN: Final[dict[str, tuple[str, Callable[[Any], str]]]] = {
    "memory_bytes": ("memory", format_size),
    "disk_bytes": ("disk", format_size),
    "max_size_bytes": ("max_size", format_size),
    "timeout_s": ("timeout", lambda value: f"{value} s"),
    "backoff_s": ("backoff", lambda value: f"{value} s"),
    "retention_days": ("retention", lambda value: f"{value} days"),
    "failed_basis_points": ("failed_share", lambda value: f"{value / 100:g} %"),
}


@dataclass(frozen=True, slots=True)
class Change:
    """`old` is "" for what is new, `new` for what is gone."""

    what: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Changes:
    about: list[Change]
    params: list[Change]
    steps: list[Change]

    def __bool__(self) -> bool:
        return bool(self.about or self.params or self.steps)


def compare(old: PipelineSpec, new: PipelineSpec) -> Changes:
    return Changes(
        about=_differing(_about(old), _about(new)), params=_named(_params(old), _params(new)),
        steps=_named(_steps(old), _steps(new)),
    )  # fmt: skip


def _about(spec: PipelineSpec) -> dict[str, Any]:
    """The version says itself that it is another."""
    return {key: value for key, value in spec.to_json().items() if key not in {"version", "params", "steps"}}


def _params(spec: PipelineSpec) -> dict[str, dict[str, Any]]:
    required = spec.params.get("required", ())
    return {
        name: {**rule, **({"required": True} if name in required else {})}
        for name, rule in spec.params["properties"].items()
    }


def _steps(spec: PipelineSpec) -> dict[str, dict[str, Any]]:
    return {step["name"]: {key: value for key, value in step.items() if key != "name"} for step in _json_steps(spec)}


def _json_steps(spec: PipelineSpec) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = spec.to_json()["steps"]
    return steps


def _named(old: dict[str, dict[str, Any]], new: dict[str, dict[str, Any]]) -> list[Change]:
    """What came or went is one line; of what stayed, a line for each thing that differs."""
    found: list[Change] = []
    for name in [*old, *(name for name in new if name not in old)]:
        if name in old and name in new:
            found += [Change(f"{name}.{one.what}", one.old, one.new) for one in _differing(old[name], new[name])]
        else:
            found.append(Change(name, _said(old.get(name)), _said(new.get(name))))
    return found


def _differing(old: dict[str, Any], new: dict[str, Any]) -> list[Change]:
    before, after = dict(_leaves(old)), dict(_leaves(new))
    return [
        Change(what, before.get(what, ""), after.get(what, ""))
        for what in [*before, *(what for what in after if what not in before)]
        if before.get(what) != after.get(what)
    ]


def _said(one: dict[str, Any] | None) -> str:
    return "" if one is None else ", ".join(f"{what}: {value}" for what, value in _leaves(one))


def _leaves(value: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """What is not there is not said: releases that know more write down more, and that is no difference."""
    for key, below in value.items():
        name, form = _PLAIN.get(key, (key, str))
        if isinstance(below, dict):
            yield from _leaves(below, f"{path}{name}.")
        elif isinstance(below, list):
            if below:
                yield f"{path}{name}", " ".join(map(str, below))
        elif below is not None:
            yield f"{path}{name}", form(below) if not isinstance(below, bool) else str(below).lower()
