"""What Batch is told about a step's container, before it is told."""

from __future__ import annotations

import json
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import botocore.session
import pytest
from botocore.validate import ParamValidator

from orchestration.engines.base import ExecutionSpec
from orchestration.engines.step_functions.cell import Cell
from orchestration.engines.step_functions.compile import compile_plan, submit_arguments
from orchestration.engines.step_functions.definition import register_request, retry_strategy
from orchestration.engines.step_functions.plan import ExecutionPlan, StepPlan
from orchestration.errors import EngineRejected
from orchestration.spec.model import Localised, Resources, RetryPolicy, Spot, StepSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

PLACE: Final = "eu-west-1:123456789012"
CELL: Final = Cell(
    state_machine=f"arn:aws:states:{PLACE}:stateMachine:esteira",
    queue=f"arn:aws:batch:{PLACE}:job-queue/standard",
    gpu_queue=f"arn:aws:batch:{PLACE}:job-queue/gpu",
    image=f"platform@sha256:{'a' * 64}",
    log_group="/esteira/steps",
    server="https://esteira.example",
    execution_role="arn:aws:iam::123456789012:role/machine",
)
MIB: Final = 1 << 20
INTERRUPTED: Final = {"statusReason": "Host EC2 (instance i-0a1b) terminated.", "reason": "", "exitCode": ""}


def step(**fields: Any) -> StepSpec:
    usual: dict[str, Any] = {"name": "convert", "title": Localised({}), "command": ("run", "--all")}
    return StepSpec(**usual | fields)


def request(cell: Cell = CELL, version: str = "1.0.0", pipeline: str = "tabular", **fields: Any) -> dict[str, Any]:
    return register_request(step(**fields), pipeline=pipeline, version=version, cell=cell)


def container(**fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = request(**fields)["containerProperties"]
    return found


def needs(found: dict[str, Any]) -> dict[str, str]:
    return {need["type"]: need["value"] for need in found["resourceRequirements"]}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"image": f"registry.example/lab/tool@sha256:{'b' * 64}"},
        {"resources": Resources(vcpu=0.25, memory_bytes=1, gpu=4)},
        {"retry": RetryPolicy(attempts=50, on=()), "spot": Spot(attempts=3), "timeout_s": 1},
        {"timeout_s": 10**9},
    ],
)
def test_every_request_is_one_that_botocore_would_send(fields: dict[str, Any]) -> None:
    model: Any = botocore.session.get_session().get_service_model("batch").operation_model("RegisterJobDefinition")
    report: Any = ParamValidator().validate(request(**fields), model.input_shape)

    assert not report.has_errors(), report.generate_report()


def test_same_step_has_the_same_name_and_any_change_another() -> None:
    names = [
        request()["jobDefinitionName"],
        *(
            request(**change)["jobDefinitionName"]
            for change in (
                {"version": "1.0.1"},
                {"pipeline": "tabular2"},
                {"name": "report"},
                {"image": f"tool@sha256:{'b' * 64}"},
                {"timeout_s": 7},
                {"resources": Resources(vcpu=2)},
                {"retry": RetryPolicy(attempts=1)},
                {"retry": RetryPolicy(on=())},
                {"cell": replace(CELL, log_group="/other")},
                {"cell": replace(CELL, execution_role="")},
            )
        ),
    ]

    assert request()["jobDefinitionName"] == names[0]
    assert len(set(names)) == len(names)
    assert names[0].startswith("esteira-tabular-convert-")


def test_longest_name_is_one_that_batch_takes() -> None:
    cell = replace(CELL, prefix="p" * 20)
    one, other = (request(cell, pipeline=f"{'x' * 62}{end}", name="s" * 31)["jobDefinitionName"] for end in "ab")

    assert one != other
    assert len(one) <= 128


def test_container_can_change_nothing_but_its_work_folder_and_is_nobody() -> None:
    found = container()

    assert found["readonlyRootFilesystem"] is True
    assert found["privileged"] is False
    user, _, group = found["user"].partition(":")
    assert int(user) > 0 < int(group)
    (mount,) = found["mountPoints"]
    (volume,) = found["volumes"]
    assert (mount["sourceVolume"], volume["host"]) == (volume["name"], {})
    assert found["command"][-1].startswith(f"{mount['containerPath']}/")


def test_container_holds_no_credentials_of_the_cloud() -> None:
    found = container()

    # Without a job role the agent gives the container no address of credentials.
    assert "jobRoleArn" not in found
    assert found["secrets"] == []
    assert found["environment"] == []
    assert found["executionRoleArn"] == CELL.execution_role
    assert "executionRoleArn" not in container(cell=replace(CELL, execution_role=""))


def test_container_starts_the_runner_and_not_the_command() -> None:
    found = container(command=("rm", "-rf", "/"), env={"TOKEN": "x"})

    assert found["command"][:4] == ["python3", "-I", "-S", "/opt/esteira/runner.pyz"]
    assert "-rf" not in json.dumps(found)
    assert "TOKEN" not in json.dumps(found)


def test_image_is_the_steps_own_or_the_platforms() -> None:
    own = f"tool@sha256:{'b' * 64}"

    assert container(image=own)["image"] == own
    assert container(image="builtin")["image"] == CELL.image


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        (Resources(vcpu=0.25, memory_bytes=512 * MIB), {"VCPU": "1", "MEMORY": "512"}),
        (Resources(vcpu=1.5, memory_bytes=512 * MIB + 1), {"VCPU": "2", "MEMORY": "513"}),
        (Resources(vcpu=8, memory_bytes=1 << 36, gpu=2), {"VCPU": "8", "MEMORY": "65536", "GPU": "2"}),
    ],
)
def test_resources_are_rounded_up_to_what_batch_gives(resources: Resources, expected: dict[str, str]) -> None:
    assert needs(container(resources=resources)) == expected


def test_step_with_a_gpu_needs_a_queue_with_one() -> None:
    gpu = step(resources=Resources(gpu=1))

    assert CELL.queue_for(gpu) == CELL.gpu_queue
    assert CELL.queue_for(step()) == CELL.queue
    with pytest.raises(EngineRejected, match="Step convert needs a GPU"):
        replace(CELL, gpu_queue="").queue_for(gpu)


def test_log_goes_to_the_cells_group() -> None:
    log = container()["logConfiguration"]

    assert log["logDriver"] == "awslogs"
    assert log["options"] == {
        "awslogs-group": "/esteira/steps",
        "awslogs-region": "eu-west-1",
        "awslogs-stream-prefix": "esteira",
    }


def test_tags_tell_what_it_is_and_are_handed_on() -> None:
    found = request()

    assert found["tags"] == {"esteira:pipeline": "tabular", "esteira:version": "1.0.0", "esteira:step": "convert"}
    assert found["propagateTags"] is True


# -- retries -------------------------------------------------------------------------------------------------------


def decided(found: dict[str, Any], end: dict[str, str]) -> str:
    """As Batch decides: the first rule all of whose patterns match; without one, RETRY."""
    keys = {"onStatusReason": "statusReason", "onReason": "reason", "onExitCode": "exitCode"}
    for rule in found["retryStrategy"]["evaluateOnExit"]:
        if all(fnmatchcase(end[keys[key]], pattern) for key, pattern in rule.items() if key != "action"):
            return str(rule["action"])
    return "RETRY"


def end(exit_code: str = "", reason: str = "", status_reason: str = "Essential container in task exited") -> Any:
    return {"exitCode": exit_code, "reason": reason, "statusReason": status_reason}


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (INTERRUPTED, "RETRY"),
        (end(reason="CannotPullContainerError: 503"), "RETRY"),
        (end(reason="DockerTimeoutError: Could not transition to started"), "RETRY"),
        (end("75"), "RETRY"),
        (end("1"), "EXIT"),
        (end("65"), "EXIT"),
        (end("175"), "EXIT"),
        (end("137", "OutOfMemoryError: Container killed"), "EXIT"),
        (end(), "EXIT"),
    ],
)
def test_batch_tries_again_what_no_runner_can_tell_and_what_it_asks_for(how: dict[str, str], expected: str) -> None:
    assert decided(request(), how) == expected


def test_rules_are_the_five_that_batch_takes_and_the_last_ends_all() -> None:
    rules = request()["retryStrategy"]["evaluateOnExit"]

    assert len(rules) == 5
    assert rules[-1] == {"action": "EXIT", "onReason": "*"}


def test_policy_of_the_step_is_obeyed() -> None:
    never = request(retry=RetryPolicy(on=()))

    assert decided(never, INTERRUPTED) == "RETRY", "whether anything is left to do the claim says"
    assert decided(never, end(reason="DockerTimeoutError: x")) == "EXIT"
    assert decided(never, end("75")) == "RETRY"


@pytest.mark.parametrize(
    ("retry", "spot", "expected"), [(1, None, 2), (3, None, 3), (3, 5, 5), (3, 2, 3), (50, None, 10), (1, 99, 10)]
)
def test_attempts_are_the_steps_own_from_two_to_what_batch_takes(retry: int, spot: int | None, expected: int) -> None:
    one = step(retry=RetryPolicy(attempts=retry), spot=Spot(spot) if spot else None)

    assert retry_strategy(one).attempts == expected


# -- limits --------------------------------------------------------------------------------------------------------


def test_definition_that_batch_would_not_take_is_refused() -> None:
    with pytest.raises(EngineRejected, match=r"The job definition of step convert has .* 24576 are allowed"):
        request(image="i" * 24_000)
    assert request(image="i" * 20_000)


def submissions(**fields: Any) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The definition, and what the state machine says at each submission."""
    one = step(**fields)
    spec = ExecutionSpec(name="x-r1", job_id=UUID(int=1), run=1)
    arn = f"arn:aws:batch:{PLACE}:job-definition/d:1"
    plan = StepPlan.of(one, queue=CELL.queue, job_definition=arn, retry=retry_strategy(one))
    data = compile_plan(ExecutionPlan(spec=spec, steps=(plan,))).input
    yield request(**fields), submit_arguments(data, data["stages"][0]["steps"][0])


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"resources": Resources(vcpu=0.5, memory_bytes=(1 << 31) + 1, gpu=1), "timeout_s": 1},
        {"retry": RetryPolicy(attempts=9, on=("PLATFORM",)), "timeout_s": 86_400},
    ],
)
def test_submission_says_nothing_else_than_the_definition(fields: dict[str, Any]) -> None:
    ((told, said),) = submissions(**fields)

    resources = said["ContainerOverrides"]["ResourceRequirements"]
    assert needs(told["containerProperties"]) == {need["Type"]: need["Value"] for need in resources}
    assert told["timeout"]["attemptDurationSeconds"] == said["Timeout"]["AttemptDurationSeconds"] >= 60
    assert told["retryStrategy"]["attempts"] == said["RetryStrategy"]["Attempts"]
    rules = [
        {key[0].lower() + key[1:]: value for key, value in r.items()} for r in said["RetryStrategy"]["EvaluateOnExit"]
    ]
    assert told["retryStrategy"]["evaluateOnExit"] == rules
