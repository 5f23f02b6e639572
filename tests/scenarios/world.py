"""A platform without web pages and processes of its own: database, door and engine, driven by whoever waits."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol
from unittest import mock

from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.test import override_settings

from api_app.database import close_lanes
from orchestration.engines.registry import get_engine
from orchestration.execution import stopping, sweep
from orchestration.execution.dispatch import dispatch
from orchestration.models import Job
from orchestration.services import work_orders
from orchestration.states import JobState
from tests.live.platform import free_port
from tests.scenarios.door import Door, opened
from tests.scenarios.engines import Faulty

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LONGEST_S: Final = 40.0
LOOK_S: Final = 0.02
RECONCILE_S: Final = 0.5
HEARTBEAT_S: Final = 0.2


class EngineWorld(Protocol):
    """What a scenario may do to an engine and to the machines it runs steps on."""

    def hold(self, *, is_held: bool) -> None:
        """While it is held, nothing that is in the queue starts."""

    def complain(self, reason: str) -> int:
        """The engine says why what is in its queue does not start. Of how much it does."""

    def kill_host(self, job: Job, step: str) -> int:
        """The machines under the running attempts of this step go away without a word. How many attempts it hit."""

    def kill_container(self, job: Job, step: str) -> int:
        """The same, of containers of the step that may have no attempt any more or not yet. How many it hit."""

    def restart(self, *, meanwhile: Callable[[], object]) -> None:
        """Whoever works for the engine on our side is killed, and starts again after `meanwhile`."""

    def listen(self) -> None:
        """Take the news that the engine has by now."""

    def set_news(self, *, times: int) -> None:
        """How often each piece of news comes from now on; 0: all are lost."""

    def tell_again(self, job: Job) -> None:
        """All news of this job once more, the last first."""

    def leftover(self, job: Job) -> int:
        """How much of this job still runs or waits to run on the engine."""


@dataclass(slots=True)
class World:
    name: str
    engine: EngineWorld
    door: Door
    _reconciled: float = field(default_factory=time.monotonic)

    def beat(self) -> None:
        """Once around of what the worker and the consumer of events do all the time."""
        if Job.objects.filter(state__in=[JobState.WAITING, JobState.QUEUED], execution__isnull=True).exists():
            dispatch()
        self.engine.listen()
        if time.monotonic() - self._reconciled >= RECONCILE_S:
            self._reconciled = time.monotonic()
            sweep.reconcile()
            stopping.stop_unwanted()

    def tell_time(self) -> None:
        """So that the next beat reconciles, as if the time for it had come."""
        self._reconciled = 0.0

    def until(self, holds: Callable[[], Any], why: Callable[[], str]) -> None:
        """Beats until it holds."""
        deadline = time.monotonic() + LONGEST_S
        while not holds():
            assert time.monotonic() < deadline, why()
            self.beat()
            time.sleep(LOOK_S)

    def reset(self) -> None:
        """As it was before the last scenario, whatever that left."""
        Faulty.fates.clear()
        self.door.reset()
        self.engine.set_news(times=1)
        self.engine.hold(is_held=False)


@contextmanager
def world(name: str, folder: Path, blocker: Any) -> Iterator[World]:
    """On the database of the tests, which is empty again afterwards."""
    from tests.scenarios.aws import aws_world  # what one engine needs the other need not load
    from tests.scenarios.local import local_world

    makers: dict[str, Any] = {"local": local_world, "aws": aws_world}
    engines = {"local": "tests.scenarios.engines.FaultyLocal", "aws": "tests.scenarios.engines.FaultyAws"}
    with ExitStack() as stack:
        stack.enter_context(blocker.unblock())
        stack.callback(_empty)
        port = free_port()
        stack.enter_context(
            override_settings(ENGINE=name, ENGINES=settings.ENGINES | engines, STEP_ISOLATION="none", LOCAL_VCPUS=4)
        )
        # A cancel is heard with a heartbeat; what is settled is looked at at once.
        stack.enter_context(mock.patch.object(work_orders, "HEARTBEAT_S", HEARTBEAT_S))
        for name_of_pause in ("SETTLES", "AGAIN"):
            stack.enter_context(mock.patch.object(stopping, name_of_pause, timedelta()))
        get_engine.cache_clear()
        stack.callback(get_engine.cache_clear)
        door = stack.enter_context(opened(port))
        stack.callback(close_lanes)
        engine = stack.enter_context(makers[name](folder, f"http://127.0.0.1:{port}"))
        yield World(name, engine, door)


def _empty() -> None:
    call_command("flush", verbosity=0, interactive=False)
    for connection in connections.all(initialized_only=True):
        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]
