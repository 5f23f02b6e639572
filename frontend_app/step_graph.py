"""Steps and what each needs, laid out in columns from left to right: every step stands right of all it needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestration.services.status import StepStatus
    from orchestration.spec.model import PipelineSpec

WIDTH: Final = 208
HEIGHT: Final = 60
ACROSS: Final = 44
DOWN: Final = 14


@dataclass(frozen=True, slots=True)
class Node:
    step: StepStatus
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Graph:
    """`edges` are paths of SVG with whether what they come from has succeeded."""

    nodes: list[Node]
    edges: list[tuple[str, bool]]
    width: int
    height: int


def graph_of(spec: PipelineSpec, steps: Sequence[StepStatus]) -> Graph:
    needs = {step.name: step.needs for step in spec.steps}
    column: dict[str, int] = {}
    for name in _in_order(needs):
        column[name] = 1 + max((column[need] for need in needs[name]), default=-1)
    rows: dict[int, int] = {}
    nodes: dict[str, Node] = {}
    for step in steps:
        at = column[step.name]
        row = rows.get(at, 0)
        rows[at] = row + 1
        nodes[step.name] = Node(step, at * (WIDTH + ACROSS), row * (HEIGHT + DOWN))
    edges = [
        (_path(nodes[need], nodes[name]), nodes[need].step.state == "SUCCEEDED")
        for name in nodes
        for need in needs[name]
    ]
    width = len(rows) * (WIDTH + ACROSS) - ACROSS
    return Graph(list(nodes.values()), edges, width, max(rows.values(), default=1) * (HEIGHT + DOWN) - DOWN)


def _in_order(needs: dict[str, tuple[str, ...]]) -> list[str]:
    """Each after what it needs; a published pipeline has no circle."""
    done: list[str] = []
    left = dict(needs)
    while left:
        ready = [name for name, wanted in left.items() if set(wanted) <= set(done)]
        done += ready
        left = {name: wanted for name, wanted in left.items() if name not in ready}
    return done


def _path(start: Node, end: Node) -> str:
    x, y, to_x, to_y = start.x + WIDTH, start.y + HEIGHT // 2, end.x, end.y + HEIGHT // 2
    bend = (to_x - x) // 2
    return f"M{x} {y} C{x + bend} {y} {to_x - bend} {to_y} {to_x} {to_y}"
