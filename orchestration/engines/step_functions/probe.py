"""Whether everything that the engine on AWS stands on is there and switched on. Asks, and starts nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestration.engines.step_functions.faults import translated
from orchestration.errors import EngineRejected, EngineUnavailable
from orchestration.findings import WARNING, Fault, tried

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orchestration.engines.step_functions.cell import Cell
    from orchestration.engines.step_functions.clients import Clients
    from orchestration.findings import Finding

REFUSED = (
    "the process's role lacks the permission: compare it with deploy/iam/grants.json",
    "no credentials at all: the service account has no role, or none is mounted",
    "the name in the settings is that of another account, region or environment",
)


def probe(cell: Cell, clients: Clients) -> Iterator[Finding]:
    look = Probe(cell, clients)
    yield from tried([("state machine", look.machine)])
    yield from tried([("queues", look.queues), ("compute environments", look.environments)])
    yield from tried([("logs", look.logs)])


class Probe:
    def __init__(self, cell: Cell, clients: Clients) -> None:
        self._cell, self._clients = cell, clients
        self._environments: list[str] = []

    def machine(self) -> str:
        arn = self._cell.state_machine
        found = self._asked(
            lambda: self._clients["stepfunctions"].describe_state_machine(stateMachineArn=arn),
            command=f"aws stepfunctions describe-state-machine --state-machine-arn {arn}",
        )
        if found["status"] != "ACTIVE":
            raise Fault(f"The state machine is {found['status']}.", causes=("it is being deleted",))
        return f"{found['name']} is active"

    def queues(self) -> str:
        names = list(self._cell.queues)
        command = f"aws batch describe-job-queues --job-queues {' '.join(names)}"
        found = self._asked(lambda: self._clients["batch"].describe_job_queues(jobQueues=names), command=command)
        there = {one["jobQueueArn"]: one for one in found["jobQueues"]}
        for name in names:
            _is_well("job queue", name, there.get(name), command)
        self._environments = [
            one["computeEnvironment"] for queue in there.values() for one in queue["computeEnvironmentOrder"]
        ]
        return f"{len(names)} take jobs"

    def environments(self) -> str:
        names = list(dict.fromkeys(self._environments))
        command = f"aws batch describe-compute-environments --compute-environments {' '.join(names)}"
        found = self._asked(
            lambda: self._clients["batch"].describe_compute_environments(computeEnvironments=names), command=command
        )
        there = found["computeEnvironments"]
        for name in names:  # an ARN, as a queue says it, or a name
            one = next(
                (one for one in there if name in {one["computeEnvironmentArn"], one["computeEnvironmentName"]}), None
            )
            _is_well("compute environment", name, one, command)
        most = sum(one.get("computeResources", {}).get("maxvCpus", 0) for one in there)
        return f"{len(names)}, up to {most} vCPUs"

    def logs(self) -> str:
        name = self._cell.log_group
        command = f"aws logs describe-log-groups --log-group-name-prefix {name}"
        found = self._asked(lambda: self._clients["logs"].describe_log_groups(logGroupNamePrefix=name), command=command)
        if all(one["logGroupName"] != name for one in found["logGroups"]):
            raise Fault(
                f"There is no log group {name}: steps cannot start.",
                causes=("ESTEIRA_BATCH_LOG_GROUP is of another environment", "it was deleted by hand"),
                command=command,
            )
        return name

    def _asked(self, ask: Callable[[], Any], *, command: str) -> Any:
        try:
            with translated():
                return ask()
        except (EngineRejected, EngineUnavailable) as exc:
            raise Fault(str(exc), causes=REFUSED, command=command) from exc


def _is_well(kind: str, arn: str, found: dict[str, Any] | None, command: str) -> None:
    name = arn.rpartition("/")[2]
    if found is None:
        raise Fault(f"There is no {kind} {name}.", causes=(REFUSED[2], "it was deleted by hand"), command=command)
    if found["state"] != "ENABLED":
        raise Fault(
            f"The {kind} {name} is switched off: jobs wait.",
            WARNING,
            causes=("somebody drains it", "staging sleeps out of hours"),
            command=command,
        )
    if found["status"] not in {"VALID", "UPDATING"}:
        raise Fault(
            f"The {kind} {name} is {found['status']}: {found.get('statusReason') or 'AWS gives no reason'}.",
            causes=("its role or its subnets, security groups or launch template were changed or deleted",),
            command=command,
        )
