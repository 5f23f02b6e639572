"""Celery entry points, one call each: short, repeatable, and safe to lose."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from celery import shared_task

from orchestration.execution import (
    abandoned,
    audit_anchors,
    audit_seals,
    budget_notice,
    finishing,
    invariants,
    job_notices,
    notice,
    old_calls,
    old_logs,
    old_notices,
    orphans,
    overdue,
    post,
    quota_notice,
    readings,
    retention,
    scrub,
    stopping,
    sweep,
    tally,
    unknown,
    webhook_leftovers,
    webhook_notice,
    webhook_round,
)
from orchestration.execution import dispatch as dispatching
from orchestration.execution import examine as examining
from orchestration.execution import mail as mailing

if TYPE_CHECKING:
    from celery import Task

log = logging.getLogger(__name__)

# Between two messages: the first of a burst goes out at once, the rest of it share the next one. While it lasts the
# pauses grow: whoever is told so often looks all the time anyway.
PAUSE_S: Final = 0.02
LONGEST_PAUSE_S: Final = 0.16


@shared_task(name="esteira.dispatch")
def dispatch() -> None:
    if dispatching.dispatch():
        nudge_dispatch()


@shared_task(name="esteira.reconcile")
def reconcile() -> None:
    sweep.reconcile()


@shared_task(name="esteira.find_unknown")
def find_unknown() -> None:
    if unknown.find_unknown():
        nudge_stop()


@shared_task(name="esteira.stop")
def stop() -> None:
    stopping.stop_unwanted()


@shared_task(name="esteira.stop_overdue")
def stop_overdue() -> None:
    if overdue.stop_overdue():
        nudge_stop()


@shared_task(name="esteira.expire_files")
def expire_files() -> None:
    notice.warn_files()
    retention.expire_files()


@shared_task(name="esteira.purge_files")
def purge_files() -> None:
    retention.purge_files()


@shared_task(name="esteira.forget_calls")
def forget_calls() -> None:
    old_calls.forget_calls()


@shared_task(name="esteira.tally")
def count_jobs() -> None:
    tally.count()


@shared_task(name="esteira.readings")
def take_readings() -> None:
    readings.read_all()


@shared_task(name="esteira.read_unfinished")
def read_unfinished() -> None:
    readings.read_unfinished()


@shared_task(name="esteira.seal_audit")
def seal_audit() -> None:
    audit_seals.seal()


@shared_task(name="esteira.anchor_audit")
def anchor_audit() -> None:
    audit_anchors.anchor()


@shared_task(name="esteira.expire_logs")
def expire_logs() -> None:
    old_logs.expire_logs()


@shared_task(name="esteira.examine")
def examine() -> None:
    if examining.examine_due():
        nudge_dispatch()


@shared_task(name="esteira.finish_upload")
def finish_upload(upload_id: str) -> None:
    finishing.finish_later(UUID(upload_id))
    nudge_examine()


@shared_task(name="esteira.heal_uploads")
def heal_uploads() -> None:
    abandoned.heal_uploads()


@shared_task(name="esteira.sweep_incoming")
def sweep_incoming() -> None:
    abandoned.sweep_incoming()


@shared_task(name="esteira.sweep_storage")
def sweep_storage() -> None:
    orphans.sweep_storage()


@shared_task(name="esteira.scrub_files")
def scrub_files() -> None:
    if scrub.scrub():
        nudge_dispatch()


@shared_task(name="esteira.mail")
def mail() -> None:
    mailing.tell()


@shared_task(name="esteira.tell_of_jobs")
def tell_of_jobs() -> None:
    job_notices.tell_of_jobs()


@shared_task(name="esteira.tell_of_waiting")
def tell_of_waiting() -> None:
    job_notices.tell_of_waiting()


@shared_task(name="esteira.tell_of_quotas")
def tell_of_quotas() -> None:
    quota_notice.tell_of_quotas()


@shared_task(name="esteira.forget_notices")
def forget_notices() -> None:
    old_notices.forget_notices()


@shared_task(name="esteira.tell_of_budgets")
def tell_of_budgets() -> None:
    budget_notice.tell_managers()


@shared_task(name="esteira.webhooks")
def webhooks() -> None:
    if webhook_round.send_due():
        nudge_webhooks()


@shared_task(name="esteira.drop_leftovers")
def drop_leftovers() -> None:
    webhook_leftovers.drop_leftovers()


@shared_task(name="esteira.tell_of_webhooks")
def tell_of_webhooks() -> None:
    webhook_notice.tell_of_webhooks()


@shared_task(name="esteira.post")
def post_letters() -> None:
    post.deliver()


@shared_task(name="esteira.look_for_violations")
def look_for_violations() -> None:
    invariants.look()


class Nudge:
    """Sends one message for any number of calls that come while the last one is under way.

    A message says only "look now" (and, of some, at what), so ten jobs submitted together need one of them; and the
    sender does not wait for the broker. A lost message costs at most the period of the sweep in `project.celery`.
    """

    def __init__(self, task: Task[..., None]) -> None:
        self._task = task
        self._wanted = threading.Event()
        self._waiting: dict[tuple[str, ...], None] = {}
        self._start: Final = threading.Lock()
        self._thread: threading.Thread | None = None
        self._pause = PAUSE_S

    def __call__(self, *about: str) -> None:
        self._waiting[about] = None
        self._wanted.set()
        with self._start:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._send, name=f"nudge {self._task.name}", daemon=True)
                self._thread.start()

    def _send(self) -> None:
        while self._wanted.wait(timeout=60):
            self._wanted.clear()
            while self._waiting:
                about = next(iter(self._waiting))
                del self._waiting[about]
                self._send_one(about)

    def _send_one(self, about: tuple[str, ...]) -> None:
        try:
            self._task.apply_async(about, retry=False)
            if not about:
                time.sleep(self._pause)
                self._pause = min(2 * self._pause, LONGEST_PAUSE_S) if about in self._waiting else PAUSE_S
        except Exception as exc:  # noqa: BLE001  whatever the broker raises means the same: the sweep comes anyway
            log.warning("nudge lost", extra={"task": self._task.name, "error": repr(exc)})


nudge_dispatch: Any = Nudge(dispatch)
nudge_stop: Any = Nudge(stop)
nudge_examine: Any = Nudge(examine)
nudge_finish: Any = Nudge(finish_upload)
nudge_webhooks: Any = Nudge(webhooks)
nudge_post: Any = Nudge(post_letters)
