"""Under a clock that a test turns: nothing goes early, nothing goes late, whatever happens in whichever order."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.errors import OrchestrationError
from orchestration.execution.dedup import share_content
from orchestration.execution.notice import warn_files
from orchestration.execution.retention import expire_files, purge_files
from orchestration.models import File, Job
from orchestration.services.files import delete_file, undelete_file
from orchestration.services.jobs import cancel
from orchestration.services.retention import extend_file, hold_file, release_file
from orchestration.storage.registry import get_storage
from tests.factories import make_file, publish_pipeline
from tests.orchestration.clock import Clock, clock
from tests.orchestration.play import submitted

if TYPE_CHECKING:
    from orchestration.models import PipelineVersion, User, Workspace

pytestmark = pytest.mark.django_db
__all__ = ["clock"]

DAY = timedelta(days=1)
KEPT, UNDELETE, WARNING, LONGEST = (40, 400, 5), 30, 14, 3_660


def test_the_clock_really_turns(clock: Clock) -> None:
    before = clock.now()
    assert abs(before - timezone.now()) < timedelta(minutes=1)
    clock.set(1_000 * DAY)
    assert timedelta(days=999) < clock.now() - before < timedelta(days=1_001)


@dataclass
class Expected:
    """What the rules say of one file, in whole days since the beginning."""

    expires: int
    hold: bool = False
    deleted: int | None = None
    is_purged: bool = False
    is_warned: bool = False
    jobs: list[Job] = field(default_factory=list)

    def may(self, act: str, today: int, days: int) -> bool:
        back_in_time = self.deleted is not None and (today < self.deleted + UNDELETE or self.hold)
        match act:
            case "delete":
                return not self.hold and not self.jobs
            case "undelete":
                return self.deleted is None or (back_in_time and not self.is_purged)
            case "extend":
                fits = max(self.expires, today) + days <= today + LONGEST
                return self.deleted is None and fits
            case "hold" | "release":
                return not self.is_purged
            case "submit":
                return self.deleted is None
        return True

    def do(self, act: str, today: int, days: int) -> None:
        match act:
            case "delete":
                self.deleted = today if self.deleted is None else self.deleted
            case "undelete" if self.deleted is not None:
                self.deleted, self.is_warned, self.expires = None, False, max(self.expires, today + UNDELETE)
            case "extend":
                self.expires, self.is_warned = max(self.expires, today) + days, False
            case "hold" | "release":
                self.hold = act == "hold"

    def sweep(self, today: int) -> None:
        if self.deleted is None and not self.hold:
            in_last_half = 2 * today >= self.expires
            self.is_warned = self.is_warned or (in_last_half and self.expires <= today + WARNING)
            if self.expires <= today and not self.jobs:
                self.deleted = today
        if self.deleted is not None and not self.hold and self.deleted + UNDELETE <= today:
            self.is_purged = True


class World:
    """The real rows and, beside them, what they should be. The first two files share one object."""

    def __init__(self, clock: Clock, manager: User, lab: Workspace, version: PipelineVersion) -> None:
        self.clock, self.manager, self.version, self.today = clock, manager, version, 0
        clock.set(timedelta(0))
        begin = clock.now()
        self.expected = [Expected(days) for days in KEPT]
        contents = [b"twins", b"twins", b"alone"]
        self.files = [
            make_file(lab, manager, f"{n}.csv", contents[n], expires_at=begin + days * DAY)
            for n, days in enumerate(KEPT)
        ]
        assert share_content(self.files[1])
        self.keys = [file.key for file in self.files]

    def act(self, act: str, n: int, days: int) -> None:
        if act == "advance":
            self.today += days
            self.clock.set(self.today * DAY)
        elif act == "sweep":
            warn_files()
            expire_files()
            purge_files()
            for expected in self.expected:
                expected.sweep(self.today)
        elif act == "finish":
            for job in self.expected[n].jobs:
                cancel(user=self.manager, job=job)
            self.expected[n].jobs = []
        else:
            self._ask(act, n, days)
        self.compare()

    def _ask(self, act: str, n: int, days: int) -> None:
        expected, may = self.expected[n], self.expected[n].may(act, self.today, days)
        expectation: Any = contextlib.nullcontext() if may else pytest.raises(OrchestrationError)
        with expectation:
            self._do(act, n, days)
        if may:
            expected.do(act, self.today, days)

    def _do(self, act: str, n: int, days: int) -> None:
        user, file = self.manager, self.files[n]
        match act:
            case "delete":
                delete_file(user=user, file=file)
            case "undelete":
                undelete_file(user=user, file=file)
            case "extend":
                extend_file(user=user, file=file, days=days)
            case "hold":
                hold_file(user=user, file=file, reason="court order 7")
            case "release":
                release_file(user=user, file=file)
            case "submit":
                self.expected[n].jobs.append(submitted(user, self.version, files=(file,)))

    def compare(self) -> None:
        rows = File.objects.in_bulk([file.pk for file in self.files])
        for n, expected in enumerate(self.expected):
            row = rows[self.files[n].pk]
            found = (row.deleted_at is not None, row.purged_at is not None, row.hold, row.warned_at is not None)
            wanted = (expected.deleted is not None, expected.is_purged, expected.hold, expected.is_warned)
            assert found == wanted, f"file {n} on day {self.today}"
            wanted_by = [e for e, key in zip(self.expected, self.keys, strict=True) if key == self.keys[n]]
            has_bytes = get_storage("uploads").size(self.keys[n]) is not None
            assert has_bytes == any(not e.is_purged for e in wanted_by), f"bytes of file {n} on day {self.today}"


ACTS = ("advance", "sweep", "delete", "undelete", "extend", "hold", "release", "submit", "finish")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(("advance", "sweep", *ACTS)),
        st.integers(0, 2),
        st.sampled_from((1, 4, 5, 13, 14, 15, 26, 29, 30, 31, 40, 365, 3_600)),
    ),
    min_size=25,
    max_size=60,
)


def test_nothing_goes_early_and_nothing_late(clock: Clock, manager: User, lab: Workspace, campaign: str) -> None:
    version = publish_pipeline()

    @settings(
        max_examples=50 if campaign == "short" else 1_000,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(STEPS)
    def play(steps: list[tuple[str, int, int]]) -> None:
        # Not atomic(): a service's transaction would no longer be the outermost.
        before = transaction.savepoint_create()
        try:
            world = World(clock, manager, lab, version)
            for act, n, days in steps:
                world.act(act, n, days)
        finally:
            transaction.savepoint_rollback(before)

    play()


@pytest.mark.parametrize(("days", "is_there"), [(39, True), (40, False)])
def test_file_goes_on_its_day_and_not_before(
    clock: Clock, manager: User, lab: Workspace, days: int, *, is_there: bool
) -> None:
    make_file(lab, manager, expires_at=clock.now() + 40 * DAY)
    clock.set(days * DAY)
    assert expire_files() == (not is_there)


@pytest.mark.parametrize(("days", "has_bytes"), [(29, True), (30, False)])
def test_bytes_stay_for_thirty_days_and_no_longer(
    clock: Clock, manager: User, lab: Workspace, days: int, *, has_bytes: bool
) -> None:
    file = make_file(lab, manager)
    delete_file(user=manager, file=file)
    clock.set(days * DAY)
    purge_files()
    assert (get_storage("uploads").size(file.key) is not None) == has_bytes


def test_file_brought_back_after_its_date_stays_thirty_days(clock: Clock, manager: User, lab: Workspace) -> None:
    file = make_file(lab, manager, expires_at=clock.now() + DAY)
    clock.set(20 * DAY)
    assert expire_files() == 1
    undelete_file(user=manager, file=file)
    clock.set(49 * DAY)
    assert expire_files() == 0
    clock.set(50 * DAY)
    assert expire_files() == 1
