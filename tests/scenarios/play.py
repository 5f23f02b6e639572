"""Plays a scenario in a world: submits, does what the script says when it says so, waits for the end, and compares."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from django.db.models import F

from orchestration.engines.leasing import lost_report
from orchestration.errors import OrchestrationError
from orchestration.execution.dispatch import CLAIM_LASTS
from orchestration.execution.record import record
from orchestration.models import Attempt, Event, Execution, File, Job, Workspace
from orchestration.services import jobs, reruns
from orchestration.services.pipelines import Source, publish
from orchestration.spec.parse import parse_pipeline
from orchestration.states import FileKind
from orchestration.storage.registry import get_storage
from tests.factories import join, make_file, make_user, make_workspace
from tests.scenarios.canon import Lanes, disorder, lanes
from tests.scenarios.door import Fate
from tests.scenarios.engines import Faulty, StartFate
from tests.scenarios.gates import Gates
from tests.scenarios.triggers import has_come

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from orchestration.models import PipelineVersion, User
    from tests.scenarios.scenario import Scenario, Turn
    from tests.scenarios.world import World

BEATS: Final = 3
_ITEM: Final = re.compile(r"(?P<step>[a-z0-9_-]+)\[(?P<item>\d+)\]")


@dataclass(slots=True)
class Play:
    scenario: Scenario
    world: World
    gates: Gates
    user: User
    workspace: Workspace
    version: PipelineVersion
    inputs: tuple[File, ...]
    jobs: dict[str, Job] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)
    """Codes of what was asked and refused."""

    @property
    def job(self) -> Job:
        """The last one."""
        return next(reversed(self.jobs.values()))

    # -- what happens ----------------------------------------------------------------------------------------------

    def run(self) -> None:
        for act in self.scenario.before:
            self._do(act)
        self._submit({})
        for turn in self.scenario.do:
            self._take(turn)
        self._wait(self._is_over, "the end")
        if self.job.state != "SUCCEEDED":
            self._wait(self._is_settled, "the engine to be rid of it")
        self.world.beat()

    def _take(self, turn: Turn) -> None:
        if turn.when:
            self._wait(lambda: self._has_come(turn.when), turn.when)
        for act in turn.act:
            self._do(act)

    def _wait(self, holds: Callable[[], Any], what: str) -> None:
        self.world.until(holds, lambda: f"waited for {what}; came as far as\n{self.shown()}")

    def _has_come(self, when: str) -> bool:
        return has_come(self, when)

    def _is_over(self) -> bool:
        for job in self.jobs.values():
            job.refresh_from_db()
        return all(job.is_finished for job in self.jobs.values())

    def _is_settled(self) -> bool:
        """Nothing of it runs, waits, or could be submitted any more."""
        names = [job.execution_name for job in self.jobs.values() if job.state != "SUCCEEDED"]
        left = Execution.objects.filter(name__in=names, settled_at__isnull=True).exclude(engine="local")
        return not left.exists() and not any(self.world.engine.leftover(job) for job in self.jobs.values())

    # -- what the script does --------------------------------------------------------------------------------------

    def _do(self, act: Any) -> None:
        name, given = (act, None) if isinstance(act, str) else next(iter(act.items()))
        method = getattr(self, f"_{name.replace(' ', '_')}", None)
        assert method is not None, f"{name}: nobody can do that"
        try:
            method(given)
        except OrchestrationError as refused:
            self.refusals.append(refused.code)

    def _refused(self, code: str) -> None:
        assert self.refusals == [code]
        self.refusals.clear()

    def _submit(self, given: dict[str, Any]) -> None:
        """`key` is an Idempotency-Key, `name` what the script calls the job."""
        request = jobs.Request(
            pipeline=self.version.pipeline.name,
            inputs=tuple(file.pk for file in self.inputs),
            params=self.scenario.params,
            priority=given.get("priority", 0),
            name=given.get("name", "first"),
        )
        job, _ = jobs.submit(user=self.user, request=request, idempotency_key=given.get("key", ""))
        self.jobs[request.name] = job

    def _cancel(self, _: None) -> None:
        jobs.cancel(user=self.user, job=self.job)

    def _retry(self, _: None) -> None:
        reruns.retry(user=self.user, job=self.job)

    def _rerun(self, given: dict[str, Any] | None) -> None:
        given = given or {}
        reruns.rerun_items(user=self.user, job=self.job, step=given.get("step", ""), items=given.get("items", ()))

    def _resubmit(self, changes: dict[str, Any] | None) -> None:
        job, _ = jobs.resubmit(user=self.user, job=self.job, changes={"name": "again"} | (changes or {}))
        self.jobs["again"] = job

    def _open(self, gate: str) -> None:
        self.gates.open(gate)

    def _hold(self, _: None) -> None:
        self.world.engine.hold(is_held=True)

    def _complain(self, reason: str) -> None:
        self._wait(lambda: self.world.engine.complain(reason), "something in the queue")

    def _release(self, _: None) -> None:
        self.world.engine.hold(is_held=False)

    def _kill_host(self, step: str) -> None:
        assert self.world.engine.kill_host(self.job, step), f"nothing of {step} ran"

    def _kill_container(self, step: str) -> None:
        assert self.world.engine.kill_container(self.job, step), f"no container of {step} was there"

    def _restart(self, _: None) -> None:
        self.world.engine.restart(meanwhile=lambda: None)

    def _restart_while(self, acts: list[Any]) -> None:
        def meanwhile() -> None:
            for act in acts:
                self._do(act)

        self.world.engine.restart(meanwhile=meanwhile)

    def _until(self, on: str) -> None:
        self._wait(lambda: self._has_come(on), on)

    def _beats(self, _: None) -> None:
        """Some rounds in which nothing is to happen."""
        for _round in range(BEATS):
            self.world.beat()
            self.world.tell_time()

    def _start(self, fates: list[str]) -> None:
        """What becomes of the next starts of executions."""
        Faulty.fates.extend(StartFate(fate) for fate in fates)

    def _calls(self, given: dict[str, list[str]]) -> None:
        """What becomes of the next calls of runners."""
        for call, fates in given.items():
            self.world.door.fates[call].extend(Fate(fate) for fate in fates)

    def _shut(self, calls: list[str]) -> None:
        self.world.door.shut.update(calls)

    def _unshut(self, _: None) -> None:
        self.world.door.shut.clear()

    def _news(self, times: int) -> None:
        self.world.engine.set_news(times=times)

    def _tell_again(self, _: None) -> None:
        self.world.engine.tell_again(self.job)

    def _claims_run_out(self, _: None) -> None:
        """The time passes after which another dispatcher takes over what one had in hand."""
        Job.objects.filter(pk=self.job.pk).update(claimed_at=F("claimed_at") - CLAIM_LASTS)

    def _limit(self, active_jobs: int) -> None:
        Workspace.objects.filter(pk=self.workspace.pk).update(max_active_jobs=active_jobs)

    def _call_lost(self, lane: str) -> None:
        """The engine vouches that an attempt is lost, although its runner goes on."""
        found = _ITEM.fullmatch(lane)
        assert found, lane
        live = Attempt.objects.live().get(job=self.job, step=found["step"], item_index=int(found["item"]))
        assert record(lost_report(live.pk, live.fence))

    # -- what has come of it ---------------------------------------------------------------------------------------

    def events(self, job: Job | None = None) -> list[Event]:
        return list(Event.objects.filter(job_id=(job or self.job).pk).order_by("id"))

    def lanes(self) -> Lanes:
        return lanes(self.events())

    def disorder(self) -> list[str]:
        needs = {step["name"]: step.get("needs", []) for step in self.scenario.steps}
        return [fault for job in self.jobs.values() for fault in disorder(self.events(job), needs)]

    def order(self, wanted: list[str]) -> list[str]:
        """Those of `wanted` that have come, in their order over all jobs of the script."""
        names = {job.pk: name for name, job in self.jobs.items()}
        events = Event.objects.filter(job_id__in=names).order_by("id")
        said = [
            f"{names[event.job_id]} {lane} {words[-1]}" for event in events for lane, words in lanes([event]).items()
        ]
        return [word for word in said if word in wanted]

    def results(self) -> dict[str, File]:
        files = File.objects.current().filter(job=self.job, kind=FileKind.RESULT).order_by("step", "item_index", "id")
        return {f"{file.step}/{file.item_index}/{file.name}": file for file in files}

    def shown(self) -> str:
        return "\n".join(f"  {lane}: {' '.join(words)}" for lane, words in self.lanes().items())


def content(file: File) -> str:
    with get_storage(file.storage).open(file.key) as opened:
        return opened.read().decode()


def play(scenario: Scenario, world: World, folder: Path) -> Play:
    gates = Gates(folder)
    world.reset()
    user, workspace = make_user(scenario.name), make_workspace(scenario.name)
    join(user, workspace)
    text = scenario.pipeline(gates=folder)
    version, _ = publish(source=Source(text=text, spec=parse_pipeline(text, file="pipeline.yaml"), bundle=b""))
    named = scenario.files
    contents = named if isinstance(named, dict) else {f"{n}.txt": f"input {n}\n" for n in range(named)}
    inputs = tuple(make_file(workspace, user, name, data.encode()) for name, data in contents.items())
    played = Play(scenario, world, gates, user, workspace, version, inputs)
    played.run()
    return played
