"""What an adapter asks of AWS, as the actions and resources that a policy must grant for it.

`granted()` has the form of the committed list: one line for each action and resource, ids replaced by `*`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ACCOUNT: Final = "123456789012"
_EXECUTION: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-r[0-9]+$")


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    action: str
    resource: str


@dataclass(frozen=True, slots=True)
class Call:
    operation: str
    params: Mapping[str, Any]
    grants: tuple[Grant, ...]


@dataclass(slots=True)
class Calls:
    region: str
    made: list[Call] = field(default_factory=list)

    def watch(self, client: Any) -> None:
        client.meta.events.register("before-parameter-build", self._note)

    def count(self, operation: str) -> int:
        return sum(call.operation == operation for call in self.made)

    def params(self, operation: str) -> list[Mapping[str, Any]]:
        return [call.params for call in self.made if call.operation == operation]

    def granted(self) -> list[Grant]:
        return sorted({grant for call in self.made for grant in call.grants})

    def _note(self, params: dict[str, Any], model: Any, **_: object) -> None:
        needed = GRANTS[model.name](params, f"{self.region}:{ACCOUNT}")
        self.made.append(Call(model.name, dict(params), tuple(Grant(*grant) for grant in needed)))


type _Needed = list[tuple[str, str]]


def _execution(action: str) -> Callable[[dict[str, Any], str], _Needed]:
    return lambda params, _: [(action, _EXECUTION.sub("*", params["executionArn"]))]


def _anywhere(action: str) -> Callable[[dict[str, Any], str], _Needed]:
    """Actions that know no resources: policies can only say `*`."""
    return lambda _params, _place: [(action, "*")]


def _register(params: dict[str, Any], place: str) -> _Needed:
    prefix = params["jobDefinitionName"].partition("-")[0]
    definition = f"arn:aws:batch:{place}:job-definition/{prefix}-*"
    role = params["containerProperties"].get("executionRoleArn")
    return [
        ("batch:RegisterJobDefinition", definition),
        # Tags on what is made need their own permission, and a role that is handed on needs one to hand it on.
        *([("batch:TagResource", definition)] if params.get("tags") else []),
        *([("iam:PassRole", role)] if role else []),
    ]


GRANTS: Final[dict[str, Callable[[dict[str, Any], str], _Needed]]] = {
    "StartExecution": lambda params, _: [("states:StartExecution", params["stateMachineArn"])],
    "ListExecutions": lambda params, _: [("states:ListExecutions", params["stateMachineArn"])],
    "StopExecution": _execution("states:StopExecution"),
    "RedriveExecution": _execution("states:RedriveExecution"),
    "DescribeExecution": _execution("states:DescribeExecution"),
    "RegisterJobDefinition": _register,
    "DescribeJobDefinitions": _anywhere("batch:DescribeJobDefinitions"),
    "DescribeJobs": _anywhere("batch:DescribeJobs"),
    "ListJobs": _anywhere("batch:ListJobs"),
    "DescribeJobQueues": _anywhere("batch:DescribeJobQueues"),
    "DescribeComputeEnvironments": _anywhere("batch:DescribeComputeEnvironments"),
    # The bulk call asks for the permission of the single one, for each job.
    "TerminateJobs": lambda _, place: [("batch:TerminateJob", f"arn:aws:batch:{place}:job/*")],
    "PutObject": lambda params, _: [
        ("s3:PutObject", f"arn:aws:s3:::{params['Bucket']}/{params['Key'].partition('/')[0]}/*")
    ],
}
