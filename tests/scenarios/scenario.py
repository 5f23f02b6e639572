"""A scenario as its file says it (README.md). What a file says wrongly is refused, not passed over."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final, Self

import yaml

FOLDER: Final = Path(__file__).with_name("files")
ENGINES: Final = ("local", "aws")


@dataclass(frozen=True, slots=True)
class Expected:
    """The end of the last job and its canonical events; `earlier` are the states of the jobs before it.

    `results` are the names of its files, `content` what is in some of them; `order` are words of several jobs, each
    `JOB LANE WORD`, in the order in which they came.
    """

    state: str
    events: dict[str, str]
    failure_kind: str = ""
    detail: str = ""
    results: list[str] | None = None
    content: dict[str, str] = field(default_factory=dict)
    earlier: list[str] = field(default_factory=list)
    order: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Turn:
    """`when` what `act` is done; without `when` as soon as the turn before it has been done."""

    act: list[Any]
    when: str = ""


@dataclass(frozen=True, slots=True)
class Scenario:
    name: str
    says: str
    steps: list[dict[str, Any]]
    expect: Expected
    do: list[Turn] = field(default_factory=list)
    files: int | dict[str, str] = 1
    params: dict[str, Any] = field(default_factory=dict)
    form: dict[str, Any] = field(default_factory=dict)
    accepts: dict[str, Any] = field(default_factory=dict)
    before: list[Any] = field(default_factory=list)
    """Done before the job is submitted."""
    only: str = ""
    reason: str = ""
    """Why it makes sense on one engine only."""
    xfail: str = ""
    campaign: str = ""
    """`full`: too slow for every run."""

    @classmethod
    def read(cls, path: Path) -> Self:
        data = yaml.safe_load(path.read_text())
        known = {one.name for one in fields(cls)} - {"name"}
        assert data.keys() <= known, f"{path.name}: unknown {data.keys() - known}"
        assert data.get("only", "local") in ENGINES, f"{path.name}: only {data['only']}?"
        assert bool(data.get("only")) == bool(data.get("reason")), f"{path.name}: `only` needs its reason"
        return cls(
            name=path.stem,
            **data
            | {
                "expect": Expected(**data["expect"]),
                "do": [Turn(act=_listed(turn["act"]), when=turn.get("when", "")) for turn in data.get("do", [])],
                "before": _listed(data.get("before", [])),
            },
        )

    def renamed(self, name: str) -> Self:
        """To be played beside the first, and expected to end otherwise without changing that."""
        return replace(self, name=name, expect=replace(self.expect, events=dict(self.expect.events)))

    @property
    def engines(self) -> tuple[str, ...]:
        return (self.only,) if self.only else ENGINES

    def pipeline(self, *, gates: Path) -> str:
        """The text of its pipeline.yaml, whose steps find the scenario's folder in `$GATES`."""
        steps = [step | {"env": {"GATES": str(gates)} | step.get("env", {})} for step in self.steps]
        whole: dict[str, Any] = {"pipeline": f"s-{self.name}", "version": "1.0.0", "title": self.says, "steps": steps}
        whole |= {"params": self.form} if self.form else {}
        whole |= {"accepts": self.accepts} if self.accepts else {}
        return yaml.safe_dump(whole, sort_keys=False)


def _listed(acts: Any) -> list[Any]:
    return acts if isinstance(acts, list) else [acts]


def scenarios() -> list[Scenario]:
    return [Scenario.read(path) for path in sorted(FOLDER.glob("*.yaml"))]
