"""On Fargate a step has the next size that there is, and Batch is told nothing of machines."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import botocore.session
import pytest
from botocore.validate import ParamValidator

from orchestration.engines.step_functions.definition import on_demand_strategy, spot_strategy
from orchestration.engines.step_functions.fargate import SIZES, fitted
from orchestration.engines.step_functions.pieces import piece_of
from orchestration.errors import EngineRejected
from orchestration.spec.model import Resources
from orchestration.states import FailureKind
from tests.engines.test_definition import CELL, needs, request, step
from tests.engines.test_pieces import described

FARGATE: Final = replace(CELL, platform="FARGATE", gpu_queue="")
GIB: Final = 1 << 30
# Of the model of RegisterJobDefinition: in Batch of this release no other word may be said there.
NOT_THERE: Final = {"privileged", "ulimits", "instanceType", "vcpus", "memory"}


def container(**resources: Any) -> dict[str, Any]:
    found: dict[str, Any] = request(FARGATE, resources=Resources(**resources))["containerProperties"]
    return found


def test_request_is_one_that_botocore_would_send_and_names_no_machine() -> None:
    asked = request(FARGATE)
    model: Any = botocore.session.get_session().get_service_model("batch").operation_model("RegisterJobDefinition")
    report: Any = ParamValidator().validate(asked, model.input_shape)
    assert not report.has_errors(), report.generate_report()
    assert asked["platformCapabilities"] == ["FARGATE"]
    assert not NOT_THERE & asked["containerProperties"].keys()
    assert asked["containerProperties"]["volumes"] == [{"name": "work"}]
    assert asked["containerProperties"]["networkConfiguration"] == {"assignPublicIp": "DISABLED"}
    assert asked["containerProperties"]["executionRoleArn"] == CELL.execution_role


def test_container_is_as_shut_in_as_on_a_machine() -> None:
    found, there = container(), request()["containerProperties"]
    for same in ("user", "readonlyRootFilesystem", "linuxParameters", "mountPoints", "logConfiguration", "command"):
        assert found[same] == there[same]
    assert "jobRoleArn" not in found


@pytest.mark.parametrize(
    ("vcpu", "gib", "size"),
    [
        (0.25, 0.5, ("1", 2)),
        (1, 8, ("1", 8)),
        (1, 8.5, ("2", 9)),
        (1.5, 1, ("2", 4)),
        (4, 30, ("4", 30)),
        (4, 31, ("8", 32)),
        (8, 33, ("8", 36)),
        (9, 1, ("16", 32)),
        (16, 120, ("16", 120)),
    ],
)
def test_step_gets_the_smallest_size_that_holds_it(vcpu: float, gib: float, size: tuple[str, int]) -> None:
    found = needs(container(vcpu=vcpu, memory_bytes=int(gib * GIB)))
    assert found == {"VCPU": size[0], "MEMORY": str(size[1] * 1024)}


@pytest.mark.parametrize("asked", [{"vcpu": 17}, {"memory_bytes": 121 * GIB}])
def test_what_fargate_has_not_is_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(EngineRejected, match="Fargate has nothing so large"):
        container(**asked)


def test_gpu_is_refused_as_where_no_queue_has_any() -> None:
    with pytest.raises(EngineRejected, match="needs a GPU"):
        container(gpu=1)


@pytest.mark.parametrize(("gib", "disk"), [(10, 21), (22, 22), (200, 200)])
def test_disk_is_what_was_asked_and_no_less_than_there_is(gib: int, disk: int) -> None:
    assert container(disk_bytes=gib * GIB)["ephemeralStorage"] == {"sizeInGiB": disk}


def test_disk_that_is_too_large_is_refused() -> None:
    with pytest.raises(EngineRejected, match="at most 200"):
        container(disk_bytes=201 * GIB)


def test_on_machines_nothing_is_fitted() -> None:
    one = step(resources=Resources(vcpu=0.5))
    assert fitted(one, CELL) is one
    assert fitted(one, FARGATE).resources.vcpu == 1
    assert list(SIZES) == sorted(SIZES)


def test_place_that_was_taken_away_is_tried_again_and_told_as_an_interruption() -> None:
    for strategy in (spot_strategy(step(), 2, platform="FARGATE"), on_demand_strategy(step(), platform="FARGATE")):
        assert strategy.rules[0].on_status_reason == "Your Spot Task was interrupted*"
        assert len(strategy.rules) == 5
    gone = {"container": {}, "statusReason": "Your Spot Task was interrupted.", "startedAt": 1, "stoppedAt": 2}
    told = piece_of(described("FAILED", attempts=[gone], statusReason=gone["statusReason"]), log_group="/esteira")
    assert told.failure_kind == FailureKind.INTERRUPTED
