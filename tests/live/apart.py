"""The platform with a wire of its own between each two of its parts, and what stops them (swizzle-clogging)."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, override

from psycopg.conninfo import conninfo_to_dict

from project.children import Child, Children
from tests.live.links import Link

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

    from tests.live.platform import Platform

PROCESSES: Final = ("web", "worker", "beat", "engine")
ON_BUCKETS: Final = ("web", "worker")


class Apart(Children):
    """Each process reaches PostgreSQL and the object store by wires that nobody else uses."""

    def __init__(self, folder: Path, env: dict[str, str], say: Callable[[str], None]) -> None:
        super().__init__(folder, env, say)
        self._shared = dict(env)
        database, store = env["DATABASE_URL"], int(env["ESTEIRA_S3_ENDPOINT"].rpartition(":")[2])
        self.links = {f"{name} to postgres": Link(socket_of(database)) for name in PROCESSES}
        self.links |= {f"{name} to s3": Link(store) for name in ON_BUCKETS}
        for link in self.links.values():
            link.start()

    @override
    def _spawn(self, child: Child) -> None:
        database = self.links[f"{child.name} to postgres"]
        own = {"DATABASE_URL": at_port(self._shared["DATABASE_URL"], database.port)}
        if store := self.links.get(f"{child.name} to s3"):
            own["ESTEIRA_S3_ENDPOINT"] = store.url
        self.env = self._shared | own
        super()._spawn(child)

    @override
    def stop(self) -> None:
        super().stop()
        for link in self.links.values():
            link.stop()


def socket_of(database_url: str) -> str:
    parts = conninfo_to_dict(database_url)
    return f"{parts['host']}/.s.PGSQL.{parts['port']}"


def at_port(database_url: str, port: int) -> str:
    parts = conninfo_to_dict(database_url)
    user, password, name = parts["user"], parts["password"], parts["dbname"]
    return f"postgresql://{user}:{password}@127.0.0.1:{port}/{name}?require_auth=scram-sha-256"


@dataclass
class Swizzle:
    """Stops a random subset one by one, and lets it go on in another order: from one seed, the same choices."""

    platform: Platform
    links: dict[str, Link]
    dice: random.Random
    longest_s: float
    stopped: dict[str, int] = field(default_factory=dict)
    _paused: dict[str, int] = field(default_factory=dict)

    @property
    def parts(self) -> list[str]:
        return [*PROCESSES, *self.links]

    def play(self, rounds: int) -> None:
        """Whoever had no turn before has one in the last round: a fault that never struck proves nothing."""
        waiting = set(self.parts)
        try:
            for number in range(rounds):
                chosen = set(self.dice.sample(self.parts, self.dice.randint(2, len(self.parts) - 1)))
                if number == rounds - 1:
                    chosen |= waiting
                waiting -= chosen
                self._round(self._shuffled(chosen))
        finally:
            for part in self.parts:
                self._restore(part)

    def _round(self, order: list[str]) -> None:
        for part in order:
            self._clog(part)
            time.sleep(self.dice.uniform(0, 0.2))
        time.sleep(self.dice.uniform(0.3, self.longest_s))
        for part in self._shuffled(set(order)):
            self._restore(part)
            time.sleep(self.dice.uniform(0, 0.2))
        time.sleep(self.dice.uniform(0.3, 1))

    def _shuffled(self, parts: set[str]) -> list[str]:
        order = sorted(parts)
        self.dice.shuffle(order)
        return order

    def _clog(self, part: str) -> None:
        if link := self.links.get(part):
            (link.freeze if self.dice.random() < 0.6 else link.cut)()
        else:
            with contextlib.suppress(LookupError, ProcessLookupError):  # it is between two lives
                pid = self.platform.pid(part)
                os.kill(pid, signal.SIGSTOP)
                self._paused[part] = pid
                self.stopped[part] = self.stopped.get(part, 0) + 1

    def _restore(self, part: str) -> None:
        if link := self.links.get(part):
            link.restore(broken=self.dice.random() < 0.5)
        elif pid := self._paused.pop(part, None):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
