"""The engine on AWS. Executions are Step Functions' own; their pieces, Batch jobs, only the state machine submits."""

from __future__ import annotations

import json
import logging
from itertools import batched, chain
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from django.conf import settings

from orchestration.engines.base import Capacity, ExecutionReport, OpenExecution, Pace, Report
from orchestration.engines.step_functions.cell import Cell
from orchestration.engines.step_functions.clients import Clients
from orchestration.engines.step_functions.compile import compile_plan, job_name_prefix, manifests
from orchestration.engines.step_functions.definitions import Definitions
from orchestration.engines.step_functions.events import ENDS
from orchestration.engines.step_functions.faults import Verdict, by_code, translated
from orchestration.engines.step_functions.pieces import OVER, forgotten, piece_of
from orchestration.engines.step_functions.quotas import allowances
from orchestration.engines.step_functions.work import plan_of
from orchestration.errors import EngineRejected, EngineUnavailable
from orchestration.points import point
from orchestration.states import ATTEMPT_FINISHED, ExecutionState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from orchestration.engines.base import ExecutionSpec, Piece
    from orchestration.engines.step_functions.compile import Compiled

log = logging.getLogger(__name__)

IN_A_DESCRIPTION: Final = 100
IN_A_TERMINATION: Final = 50
IN_A_LIST: Final = 1_000
# Of 100 that small Regions let pass at once, and 2 a second after that.
MOST_LISTS: Final = 20
MOST_REASON: Final = 1024
EXISTS: Final = "ExecutionAlreadyExists"
NOT_THERE: Final = "ExecutionDoesNotExist"
IN_THE_WAY: Final = "PreconditionFailed"
_WHOSE: Final = ("execution", "job_id", "run")


class StepFunctionsEngine:
    def __init__(self, cell: Cell | None = None) -> None:
        self.cell = cell or Cell(**settings.AWS_CELL)
        self.clients = Clients(self.cell)
        self.pace = Pace(allowances(self.cell), at_once=settings.HAND_OVERS_AT_ONCE)
        self.is_elsewhere = not self.cell.sees_our_folders
        self._definitions = Definitions(self.cell, self.clients)

    # -- start -----------------------------------------------------------------------------------------------------

    def start(self, spec: ExecutionSpec) -> str:
        if spec.again:
            return self._redrive(spec)
        plan = plan_of(spec, cell=self.cell, definitions=self._definitions)
        compiled = compile_plan(plan)
        for address, lines in manifests(plan):
            self._put(address, lines)
        return self._begin(compiled)

    def _begin(self, compiled: Compiled) -> str:
        point("engine.before_start")
        try:
            with translated():
                answer = self.clients["stepfunctions"].start_execution(
                    stateMachineArn=self.cell.state_machine, name=compiled.name, input=compiled.text
                )
        except EngineRejected as refused:
            if refused.details["reason"] != EXISTS:
                raise
            return self._adopt(compiled)
        return str(answer["executionArn"])

    def _adopt(self, compiled: Compiled) -> str:
        """An earlier start got through and its answer was lost; perhaps the execution has even ended since.

        What it was given may differ in what is looked up at each start. Whose work it does must not.
        """
        there = self._describe(compiled.name)
        if there is None or "input" not in there:
            log.error("AWS does not show an execution that it has", extra={"execution": compiled.name})
            raise EngineUnavailable(f"Waiting for AWS. It has an execution {compiled.name} and does not show it.")
        if there["input"] != compiled.text:
            if _whose(there["input"]) != _whose(compiled.text):
                raise EngineRejected(
                    f"AWS has an execution {compiled.name} that does other work ({EXISTS}).", reason=EXISTS
                )
            log.warning("adopted an execution of another input", extra={"execution": compiled.name})
        return str(there["executionArn"])

    def _redrive(self, spec: ExecutionSpec) -> str:
        """Within 14 days, and what was submitted again has the same name and the same right as before."""
        execution = self.cell.execution(spec.name)
        with translated():
            self.clients["stepfunctions"].redrive_execution(executionArn=execution)
        return execution

    def _put(self, address: str, lines: Iterable[bytes]) -> None:
        """Never over one that is there: children of an execution that was started with it may be reading it."""
        place = urlsplit(address)
        at = {"Bucket": place.netloc, "Key": place.path.lstrip("/")}
        try:
            with translated():
                self.clients["s3"].put_object(**at, Body=b"".join(lines), IfNoneMatch="*")
        except EngineRejected as refused:
            if refused.details["reason"] != IN_THE_WAY:
                raise

    # -- stop ------------------------------------------------------------------------------------------------------

    def stop(self, spec: ExecutionSpec, *, reason: str) -> bool:
        """First the execution, so that nothing new is submitted; then its Batch jobs, until none is left.

        Step Functions ends them by itself as a rule, and promises nothing.
        """
        try:
            with translated():
                # Without error and cause, which would need the machine's key.
                self.clients["stepfunctions"].stop_execution(executionArn=self.cell.execution(spec.name))
        except EngineRejected as refused:
            if refused.details["reason"] != NOT_THERE:
                raise
        point("engine.stopped")
        left = self._named(spec) | self._told_of(spec)
        errors = [
            error
            for group in batched(sorted(left), IN_A_TERMINATION, strict=False)
            for error in self._terminate(group, reason)
        ]
        if errors:
            raise _worst(errors)
        return not left

    def _named(self, spec: ExecutionSpec) -> set[str]:
        """Those that nobody told us of too; the whole of an array stands for its children."""
        left = set()
        named = {"name": "JOB_NAME", "values": [f"{job_name_prefix(spec)}*"]}
        for queue in self.cell.queues:
            with translated():
                pages = self.clients["batch"].get_paginator("list_jobs").paginate(jobQueue=queue, filters=[named])
                jobs = [job for page in pages for job in page["jobSummaryList"]]
            left |= {job["jobId"] for job in jobs if job["status"] not in OVER}
        return left

    def _told_of(self, spec: ExecutionSpec) -> set[str]:
        """Those that no list shows yet."""
        whole = dict.fromkeys(ref.partition(":")[0] for ref in spec.pieces)
        return {piece.ref for piece in self._pieces(whole) if piece.state and piece.state not in ATTEMPT_FINISHED}

    def _terminate(self, refs: Sequence[str], reason: str) -> list[dict[str, str]]:
        with translated():
            answer = self.clients["batch"].terminate_jobs(jobs=list(refs), reason=reason[:MOST_REASON] or "Canceled.")
        errors: list[dict[str, str]] = answer["errors"]
        return errors

    # -- report ----------------------------------------------------------------------------------------------------

    def report(self, specs: Sequence[ExecutionSpec], *, looks: int = 0) -> Report:
        refs = dict.fromkeys(chain.from_iterable(spec.pieces for spec in specs))
        return Report(
            pieces=tuple(self._pieces(refs)),
            executions=tuple(self._look(spec) for spec in specs[: max(looks, 0)]),
        )

    def _pieces(self, refs: Iterable[str]) -> Iterator[Piece]:
        for group in batched(refs, IN_A_DESCRIPTION, strict=False):
            with translated():
                answer = self.clients["batch"].describe_jobs(jobs=list(group))
            known = {job["jobId"]: piece_of(job, log_group=self.cell.log_group) for job in answer["jobs"]}
            yield from (known.get(ref) or forgotten(ref) for ref in group)

    def _look(self, spec: ExecutionSpec) -> ExecutionReport:
        said = self._describe(spec.name)
        if said is None:
            return ExecutionReport(spec.name, ExecutionState.UNKNOWN)
        detail = ": ".join(word for word in (said.get("error"), said.get("cause")) if word)
        return ExecutionReport(spec.name, ENDS[said["status"]], detail, said.get("stopDate"))

    def _describe(self, name: str) -> dict[str, Any] | None:
        try:
            with translated():
                said: dict[str, Any] = self.clients["stepfunctions"].describe_execution(
                    executionArn=self.cell.execution(name)
                )
        except EngineRejected as refused:
            if refused.details["reason"] != NOT_THERE:
                raise
            return None
        return said

    def open_executions(self) -> tuple[OpenExecution, ...]:
        asked = {"stateMachineArn": self.cell.state_machine, "statusFilter": "RUNNING"}
        with translated():
            pages = (
                self.clients["stepfunctions"]
                .get_paginator("list_executions")
                .paginate(**asked, PaginationConfig={"PageSize": IN_A_LIST, "MaxItems": IN_A_LIST * MOST_LISTS})
            )
            found = [one for page in pages for one in page["executions"]]
        return tuple(OpenExecution(one["name"], one["executionArn"]) for one in found)

    # -- capacity --------------------------------------------------------------------------------------------------

    def capacity(self) -> Capacity:
        """What the compute environments of our queues may grow to; a queue that is closed says why."""
        with translated():
            batch = self.clients["batch"]
            queues = batch.describe_job_queues(jobQueues=list(self.cell.queues))["jobQueues"]
            names = {
                order["computeEnvironment"] for queue in queues for order in queue.get("computeEnvironmentOrder", ())
            }
            places = (
                batch.describe_compute_environments(computeEnvironments=sorted(names))["computeEnvironments"]
                if names
                else []
            )
        open_places = [place for place in places if _is_open(place)]
        closed = [_complaint(queue) for queue in queues if not _is_open(queue)]
        if len(queues) < len(self.cell.queues):
            closed.append("AWS Batch does not know a queue that this server is set up with.")
        return Capacity(
            vcpus=float(sum(place.get("computeResources", {}).get("maxvCpus", 0) for place in open_places)),
            closed=" ".join(closed),
        )


def _worst(errors: Sequence[dict[str, str]]) -> EngineUnavailable | EngineRejected:
    """Later, if that may help any of them; all others have been ended."""
    said = "; ".join(f"{error['job']}: {error['message']} ({error['code']})" for error in errors[:3])
    if all(by_code(error["code"]) is Verdict.NEVER for error in errors):
        return EngineRejected(f"AWS refused to end {len(errors)} Batch jobs. {said}", reason=errors[0]["code"])
    return EngineUnavailable(f"Waiting for AWS to end {len(errors)} Batch jobs. {said}", reason=errors[0]["code"])


def _whose(text: str) -> dict[str, Any]:
    given = json.loads(text)
    return {key: given.get(key) for key in _WHOSE} if isinstance(given, dict) else {}


def _is_open(described: dict[str, Any]) -> bool:
    return described.get("state") == "ENABLED" and described.get("status") == "VALID"


def _complaint(queue: dict[str, Any]) -> str:
    why = queue.get("statusReason") or f"It is {queue.get('state')} and {queue.get('status')}."
    return f"The queue {queue['jobQueueName']} starts nothing: {why}"
