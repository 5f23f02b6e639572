"""Celery app and beat schedule. Every message is a nudge that may be lost: each task also comes by the clock."""

import logging
import os
import sys
import threading
import time
from typing import Any

from celery import Celery
from celery.signals import worker_init, worker_ready, worker_shutting_down
from celery.worker import state
from django.conf import settings

from orchestration import going
from project import pulse

log = logging.getLogger(__name__)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
# Worker and beat would load all pages to check them, and then not look at what the checks say.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

app = Celery("esteira")
app.conf.update(settings.CELERY)
app.conf.beat_schedule = {
    "dispatch": {"task": "esteira.dispatch", "schedule": 2.0},
    "reconcile": {"task": "esteira.reconcile", "schedule": 30.0},
    "stop": {"task": "esteira.stop", "schedule": 5.0},
    "stop overdue": {"task": "esteira.stop_overdue", "schedule": 5.0},
    "find unknown": {"task": "esteira.find_unknown", "schedule": 300.0},
    "mail": {"task": "esteira.mail", "schedule": 30.0},
    "post": {"task": "esteira.post", "schedule": 30.0},
    "tell of jobs": {"task": "esteira.tell_of_jobs", "schedule": 5.0},
    "tell of waiting": {"task": "esteira.tell_of_waiting", "schedule": 60.0},
    "tell of quotas": {"task": "esteira.tell_of_quotas", "schedule": 1_800.0},
    "forget notices": {"task": "esteira.forget_notices", "schedule": 21_600.0},
    "tell of budgets": {"task": "esteira.tell_of_budgets", "schedule": 60.0},
    "webhooks": {"task": "esteira.webhooks", "schedule": 2.0},
    "drop what is left of webhooks": {"task": "esteira.drop_leftovers", "schedule": 60.0},
    "tell of webhooks": {"task": "esteira.tell_of_webhooks", "schedule": 60.0},
    "expire files": {"task": "esteira.expire_files", "schedule": 600.0},
    "purge files": {"task": "esteira.purge_files", "schedule": 3_600.0},
    "count jobs by the hour": {"task": "esteira.tally", "schedule": 15.0},
    "take readings": {"task": "esteira.readings", "schedule": 300.0},
    "count a long queue": {"task": "esteira.read_unfinished", "schedule": 30.0},
    "seal the audit log": {"task": "esteira.seal_audit", "schedule": 10.0},
    "anchor the audit log": {"task": "esteira.anchor_audit", "schedule": 3_600.0},
    "forget calls": {"task": "esteira.forget_calls", "schedule": 3_600.0},
    "expire logs": {"task": "esteira.expire_logs", "schedule": 21_600.0},
    "work on bulk operations": {"task": "esteira.bulk", "schedule": 10.0},
    "sign manifests": {"task": "esteira.sign_manifests", "schedule": 30.0},
    "examine": {"task": "esteira.examine", "schedule": 10.0},
    "heal uploads": {"task": "esteira.heal_uploads", "schedule": 60.0},
    "sweep incoming": {"task": "esteira.sweep_incoming", "schedule": 3_600.0},
    # Much more often than one round takes, or the rate that was set would be reached half of the time only.
    "scrub files": {"task": "esteira.scrub_files", "schedule": 5.0},
    "look for violations": {"task": "esteira.look_for_violations", "schedule": 120.0},
    "sweep storage": {"task": "esteira.sweep_storage", "schedule": 3_600.0},
}
app.autodiscover_tasks(["orchestration"])
app.autodiscover_tasks(["orchestration.services"], related_name="bulk_task")
app.autodiscover_tasks(["orchestration.services"], related_name="manifest_task")


@worker_ready.connect
def keep_pulse(sender: Any, **_: Any) -> None:
    """From when the worker takes messages for the first time."""
    pulse.beat()
    sender.timer.call_repeatedly(pulse.EVERY_S, pulse.beat)


@worker_init.connect
def _bound_the_end(**_: Any) -> None:
    """A thread that waits from the beginning: in a signal's handler none may be started."""
    threading.Thread(target=_end_in_time, name="bound of the end", daemon=True).start()


@worker_shutting_down.connect
def _give_back(**_: Any) -> None:
    going.tell()


def _end_in_time() -> None:
    """Celery waits for its tasks for as long as they take, and whoever waits for us then kills without a word.

    Each of them bears it: its message comes again, its lease runs out.
    """
    going.wait_until_told()
    time.sleep(settings.GRACE_S)
    log.error("worker ends before its tasks", extra={"tasks": sorted(one.name for one in state.active_requests)})
    sys.stderr.flush()
    os._exit(os.EX_TEMPFAIL)
