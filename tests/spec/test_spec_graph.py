from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.spec.graph import blocked, cycles, order, ready, stages
from orchestration.spec.model import Localised, PipelineSpec, StepSpec

quick = settings(database=None, deadline=None, max_examples=200)
ENDS = ("SUCCEEDED", "FAILED", "CANCELED", "TIMED_OUT", "SKIPPED")


def step(name: str, *needs: str) -> StepSpec:
    return StepSpec(name=name, title=Localised({}), command=("run",), needs=needs)


def spec_of(*steps: StepSpec) -> PipelineSpec:
    return PipelineSpec(name="ab", version="1.0.0", title=Localised({}), description=Localised({}), steps=steps)


@st.composite
def pipelines(draw: st.DrawFn) -> PipelineSpec:
    """Steps without circles, written in any order."""
    names = [f"s{number}" for number in range(draw(st.integers(1, 8)))]
    steps = [
        step(name, *draw(st.lists(st.sampled_from(names[:index]), unique=True)) if index else ())
        for index, name in enumerate(names)
    ]
    return spec_of(*draw(st.permutations(steps)))


@quick
@given(pipelines())
def test_every_step_stands_once_and_after_its_needs(spec: PipelineSpec) -> None:
    ordered = [step.name for step in order(spec.steps)]

    assert sorted(ordered) == sorted(step.name for step in spec.steps)
    for step in spec.steps:
        assert all(ordered.index(need) < ordered.index(step.name) for need in step.needs)


@quick
@given(pipelines())
def test_order_is_stable(spec: PipelineSpec) -> None:
    once = order(spec.steps)

    assert order(once) == once


@quick
@given(pipelines())
def test_stages_are_as_early_as_needs_allow(spec: PipelineSpec) -> None:
    groups = [[step.name for step in group] for group in stages(spec.steps)]
    place = {name: level for level, group in enumerate(groups) for name in group}

    assert sorted(place) == sorted(step.name for step in spec.steps)
    assert all(groups)
    for step in spec.steps:
        assert place[step.name] == max((place[need] + 1 for need in step.needs), default=0)


@quick
@given(pipelines(), st.data())
def test_running_what_is_ready_leaves_nothing_waiting(spec: PipelineSpec, data: st.DataObject) -> None:
    """However steps end: each runs at most once, after its needs, and what never runs is blocked."""
    states: dict[str, str] = {}
    while names := ready(spec, states):
        name = data.draw(st.sampled_from(names))
        assert name not in states
        assert all(states[need] == "SUCCEEDED" for need in spec.step(name).needs)
        states[name] = data.draw(st.sampled_from(ENDS))

    stuck = [step.name for step in spec.steps if step.name not in states]
    assert blocked(spec, states) == stuck
    assert bool(stuck) <= any(state != "SUCCEEDED" for state in states.values())


def test_step_that_runs_already_is_not_ready() -> None:
    spec = spec_of(step("a"), step("b"), step("c", "a"))

    assert ready(spec, {}) == ["a", "b"]
    assert ready(spec, {"a": "RUNNING", "b": "WAITING"}) == ["b"]
    assert ready(spec, {"a": "SUCCEEDED", "b": "FAILED"}) == ["c"]
    assert ready(spec, {"a": "FAILED", "b": "SUCCEEDED"}) == []


def test_nothing_is_blocked_while_its_needs_run() -> None:
    spec = spec_of(step("a"), step("b", "a"), step("c", "b"), step("d"))

    assert blocked(spec, {"a": "RUNNING"}) == []
    assert blocked(spec, {"a": "TIMED_OUT", "d": "SUCCEEDED"}) == ["b", "c"]


def test_order_refuses_a_circle() -> None:
    with pytest.raises(ValueError, match="for ever: a, b"):
        order([step("a", "b"), step("b", "a"), step("c")])


@quick
@given(pipelines(), st.data())
def test_circles_are_found_if_and_only_if_there_are_any(spec: PipelineSpec, data: st.DataObject) -> None:
    needs = {step.name: list(step.needs) for step in spec.steps}
    assert cycles(needs) == []

    ordered = order(spec.steps)
    first = data.draw(st.sampled_from(ordered))
    last = data.draw(st.sampled_from(ordered[ordered.index(first) :]))
    path = reaches(spec, last.name, first.name)
    needs[first.name].append(last.name)

    found = cycles(needs)
    assert bool(found) == path
    for circle in found:
        ring = [*circle, circle[0]]
        assert all(ring[i + 1] in needs[ring[i]] for i in range(len(circle)))


def reaches(spec: PipelineSpec, name: str, target: str) -> bool:
    return name == target or any(reaches(spec, need, target) for need in spec.step(name).needs)


def test_parts_of_a_step_may_be_replaced() -> None:
    assert replace(step("a"), needs=("b",)).needs == ("b",)
