"""What must hold: always, from two minutes after recovery on, and at rest. Names of invariants are reliability.md's."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from tests.simulation.batch import OVER
from tests.simulation.rows import Violation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.simulation.batch import BatchJob
    from tests.simulation.history import History
    from tests.simulation.rows import Job

SOON_S: Final = 120.0
DESCRIBES_A_SECOND: Final = 5
AWS_GRANTS: Final = {"DescribeExecution": DESCRIBES_A_SECOND * 30, "DescribeJobs": DESCRIBES_A_SECOND * 30}
OTHERS_WAIT_S: Final = 180.0


def demand(holds: bool, sentence: str) -> None:  # noqa: FBT001
    if not holds:
        raise Violation(sentence)


class Oracle:
    def __init__(self, history: History) -> None:
        self.history = history

    # -- always ----------------------------------------------------------------------------------------------------

    def ended(self, job: Job) -> None:
        """CANCELED is said when nothing runs, and not before. Where nothing was handed over, nobody knows better."""
        if job.execution is None or job.state != "CANCELED":
            return
        begin = f"{job.execution_name}-"
        left = [one.id for one in self._batch_jobs() if one.name.startswith(begin) and one.status not in OVER]
        demand(not left, f"{job.execution_name} is said to be CANCELED, and of it {left} run")

    def _batch_jobs(self) -> Iterable[BatchJob]:
        return self.history.batch.jobs.values()

    def _is_known(self, execution: str) -> bool:
        """Or its starter was killed, and its job canceled before another hand-over: then no row knows it.

        Its Batch jobs find nothing to do when they begin. Until then they stand in the queue.
        """
        if execution in self.history.rows.executions:
            return True
        self.history.world.hits["execution that no row knows"] += 1
        return False

    # -- from two minutes after recovery on ------------------------------------------------------------------------

    def look(self) -> None:
        """What the engine has known for two minutes, the rows know (I7); what was asked two minutes ago is done."""
        history = self.history
        since = history.world.now - SOON_S
        jobs_of: dict[str, list[BatchJob]] = {}
        for one in history.batch.jobs.values():
            jobs_of.setdefault(one.name[: one.name.index("-", 38)], []).append(one)
        for job in history.rows.jobs.values():
            batch_jobs = jobs_of.get(job.execution_name, [])
            if job.is_finished:
                self._is_over(job, batch_jobs, since)
            else:
                self._goes_on(job, batch_jobs, since)
        self._earlier_runs(jobs_of, since)

    def _goes_on(self, job: Job, batch_jobs: list[BatchJob], since: float) -> None:
        name = job.execution_name
        demand(job.execution is not None or job.since > since, f"{name} is {job.state}, and nobody hands it over (I8)")
        asked = job.cancel_requested_at
        demand(asked is None or asked > since, f"{name} should be canceled, and is {job.state} (I3)")
        at_work = [one for one in batch_jobs if one.status not in OVER]
        run = self.history.machine.runs.get(name)
        if run is not None and run.status != "RUNNING" and not at_work:
            ended = max([run.ended_at, job.since, *(one.ended_at for one in batch_jobs)])
            demand(ended > since, f"{name} has ended on AWS as {run.status}, and is {job.state} (I7)")
        by_ref = {one.id: one for one in batch_jobs}
        for attempt in self.history.rows.open_attempts(job):
            if attempt.is_live:
                held = by_ref[attempt.leased_by.removeprefix("batch:").partition("#")[0]]
                ended = held.ended_at if held.status in OVER else since + 1
                demand(ended > since, f"{attempt.id} is {attempt.state}, and its Batch job has ended (I7)")

    def _is_over(self, job: Job, batch_jobs: list[BatchJob], since: float) -> None:
        """Nothing is left running of a job that did not end well."""
        if job.state == "SUCCEEDED" or job.since > since or not self._is_known(job.execution_name):
            return
        left = [one for one in batch_jobs if one.status not in OVER]
        demand(not left, f"{job.execution_name} is {job.state}, and of it {[one.id for one in left]} still run on AWS")
        run = self.history.machine.runs.get(job.execution_name)
        demand(run is None or run.status != "RUNNING", f"{job.execution_name} is {job.state}, and its execution runs")

    def _earlier_runs(self, jobs_of: dict[str, list[BatchJob]], since: float) -> None:
        """A twin of a run that ended well may stand in the queue; it will find nothing to do."""
        ends = {whose: new for whose, kind, _, _, _, new in self.history.rows.events if kind == "job"}
        for job in self.history.rows.jobs.values():
            for number in range(1, job.run if job.since <= since else 1):
                name = f"{job.id}-r{number}"
                if ends[name] == "SUCCEEDED" or not self._is_known(name):
                    continue
                left = [one.id for one in jobs_of.get(name, []) if one.status not in OVER]
                demand(not left, f"{name} is long over, and of it {left} still run on AWS")

    # -- at rest ---------------------------------------------------------------------------------------------------

    def at_rest(self) -> None:
        self.ends_once()
        self.one_execution_a_run()
        self.one_result_an_item()
        self.nothing_is_left()
        self.budgets()
        self.queue()

    def ends_once(self) -> None:
        """I3: one end for each run of a job, for each attempt; what has ended does not move (rows see to it)."""
        ends = Counter(
            (whose, kind, step, item)
            for whose, kind, step, item, old, new in self.history.rows.events
            if kind in {"job", "attempt", "step", "item"} and old != new and new in _ENDS
        )
        twice = [key for key, number in ends.items() if number != 1]
        demand(not twice, f"ended more than once: {twice[:3]} (I3)")
        for job in self.history.rows.jobs.values():
            demand(job.is_finished, f"{job.execution_name} is {job.state} for ever (I3)")
            demand(ends[(job.execution_name, "job", "", None)] == 1, f"{job.execution_name} has no one end (I3)")
        for attempt in self.history.rows.attempts.values():
            demand(attempt.is_finished, f"{attempt.id} is {attempt.state} for ever")
            known = ends[(attempt.id, "attempt", attempt.step.name, attempt.item.index)]
            demand(known == 1, f"{attempt.id} has ended {known} times by its events (I5)")

    def one_execution_a_run(self) -> None:
        """I4."""
        runs = Counter(run.whose for run in self.history.machine.runs.values())
        twice = [key for key, number in runs.items() if number > 1]
        demand(not twice, f"more than one execution of {twice[:3]} (I4)")

    def one_result_an_item(self) -> None:
        results = Counter(
            (one.job.id, one.run, one.step.name, one.item.index)
            for one in self.history.rows.attempts.values()
            if one.state == "SUCCEEDED"
        )
        twice = [key for key, number in results.items() if number > 1]
        demand(not twice, f"two results of {twice[:3]} (I4)")

    def nothing_is_left(self) -> None:
        demand(not self.history.at_work, f"containers are at work: {list(self.history.at_work)} (I12)")
        left = [one.id for one in self.history.batch.jobs.values() if one.status not in OVER]
        demand(not left, f"Batch jobs are left: {left} (I12)")
        runs = [one.name for one in self.history.machine.runs.values() if one.status == "RUNNING"]
        demand(not runs, f"executions are left: {runs} (I12)")
        unsettled = [one.name for one in self.history.rows.executions.values() if one.settled_at is None]
        demand(not unsettled, f"executions that nobody settles: {unsettled} (I8)")

    def budgets(self) -> None:
        for operation, most in AWS_GRANTS.items():
            busiest = self.history.engine.wire.busiest.get(operation, 0)
            demand(busiest <= most, f"{busiest} calls of {operation} in 30 s (I13)")

    def queue(self) -> None:
        """I9: aside is what nobody understands, and nothing else waits for it."""
        bus, world = self.history.bus, self.history.world
        demand(not bus.queue, "messages are left in the queue (I9)")
        poison = sum(one.kind == "poison" for one in bus.aside)
        demand(poison == world.chaos.poison, f"{poison} of {world.chaos.poison} poisoned messages are aside (I9)")
        if not (world.hits["kill"] or world.hits["slow"]):
            demand(len(bus.aside) == poison, f"{len(bus.aside) - poison} good messages were put aside (I9)")
            if not world.hits["consumer away"]:
                demand(bus.slowest_s < OTHERS_WAIT_S, f"a message waited {bus.slowest_s:.0f} s (I13)")


_ENDS: Final = frozenset({"SUCCEEDED", "FAILED", "CANCELED", "TIMED_OUT", "SKIPPED"})
