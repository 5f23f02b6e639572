"""A folder that several machines share shows each of them sizes that were true a while ago, as NFS does."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final, override

import pytest
from django.utils import timezone

from orchestration.errors import LogOffset as Elsewhere
from orchestration.execution.dispatch import dispatch
from orchestration.runner.log import Log
from orchestration.runner.protocol import Again, LogOffset
from orchestration.runner.report import send_log
from orchestration.services import logs, runner
from orchestration.services.logs import SETTLED, read_log
from orchestration.storage.local import LocalStorage
from tests.factories import make_file, publish_pipeline
from tests.orchestration.play import TWO_STEPS, holder, lease, run, submitted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from orchestration.models import Attempt, User, Workspace

pytestmark = pytest.mark.django_db
LINES: Final = b"".join(b"line %d of the step\n" % number for number in range(20_000))


class Pod(LocalStorage):
    """What it once saw of a name it believes until it opens the file, or its memory has run out."""

    def __init__(self, top: Path) -> None:
        super().__init__(top)
        self.seen: dict[str, int | None] = {}

    @override
    def size(self, key: str) -> int | None:
        if key not in self.seen:
            self.seen[key] = super().size(key)
        return self.seen[key]

    @override
    def open(self, key: str, version: str = "") -> BinaryIO:
        opened = super().open(key, version)
        self.seen[key] = super().size(key)
        return opened

    @override
    def append(self, key: str, offset: int, data: bytes) -> int:
        self.seen[key] = super().append(key, offset, data)
        return self.seen[key] or 0


class Pods:
    """Behind a load balancer: whoever asks is answered by the one whose `turn` it is."""

    def __init__(self, top: Path) -> None:
        self.all = [Pod(top) for _ in range(3)]
        self.turn = 0

    def storage(self, _: str) -> Pod:
        return self.all[self.turn]


@pytest.fixture
def pods(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pods:
    made = Pods(tmp_path / "shared")
    for module in (logs, runner):
        monkeypatch.setattr(module, "get_storage", made.storage)
    return made


@pytest.fixture
def attempt(owner: User, lab: Workspace) -> Attempt:
    submitted(owner, publish_pipeline(TWO_STEPS), (make_file(lab, owner),))
    dispatch()
    (leased,) = lease()
    runner.begin(holder=holder(leased))
    return leased


class Platform:
    """As the runner sees it: a call, and an answer or another place to go on from."""

    def __init__(self, attempt: Attempt, pods: Pods, seed: int) -> None:
        self._attempt, self._pods, self._dice = attempt, pods, random.Random(seed)

    def once(self, call: str, data: bytes) -> dict[str, int]:
        self._pods.turn = self._dice.randrange(3)
        if self._dice.random() < 0.3:
            self._pods.all[self._pods.turn].seen.clear()
        try:
            offset = int(call.partition("=")[2])
            return {"end": runner.append_log(holder=holder(self._attempt), offset=offset, data=data)}
        except Elsewhere as exc:
            raise LogOffset(int(exc.details["end"])) from exc


def sent(log: Log, platform: Any) -> Iterator[bool]:
    while log.sent < log.size:
        try:
            send_log(platform, log)
            yield True
        except Again:
            yield False


@pytest.mark.parametrize("seed", range(5))
def test_log_that_grows_by_any_pod_is_whole(attempt: Attempt, pods: Pods, tmp_path: Path, seed: int) -> None:
    log = Log(str(tmp_path / "spool"), 1 << 30)
    log.write(LINES)
    went = list(sent(log, Platform(attempt, pods, seed)))
    assert all(went) or went[-1], "whoever is sent back goes on from there"
    attempt.refresh_from_db()
    (file,) = [one for one in pods.all[0].top.rglob("*") if one.is_file()]
    assert file.read_bytes() == LINES
    assert attempt.log_size == len(LINES)


def test_reader_at_a_pod_that_saw_less_is_not_told_that_it_was_all(attempt: Attempt, pods: Pods) -> None:
    who = holder(attempt)
    pods.turn = 0
    assert read_log(attempt=attempt).data == b"", "it has now seen that there is no such file"
    pods.turn = 1
    runner.append_log(holder=who, offset=0, data=b"first\n")
    run(attempt)
    attempt.refresh_from_db()
    pods.turn = 0
    part = read_log(attempt=attempt)
    assert (part.data, part.is_complete) == (b"", False)
    pods.all[0].seen.clear()
    part = read_log(attempt=attempt)
    assert (part.data, part.is_complete) == (b"first\n", True)


def test_log_that_is_gone_is_over_after_a_minute(attempt: Attempt, pods: Pods) -> None:
    """Whoever follows it is not kept waiting for what nobody has any more."""
    runner.append_log(holder=holder(attempt), offset=0, data=b"first\n")
    run(attempt)
    for file in pods.all[0].top.rglob("*"):
        if file.is_file():
            file.unlink()
    pods.all[0].seen.clear()
    attempt.refresh_from_db()
    assert not read_log(attempt=attempt).is_complete
    attempt.finished_at = timezone.now() - 2 * SETTLED
    assert read_log(attempt=attempt).is_complete
