"""What moves the work: the broker, the workers that read it, the clock that fills it, the engine's events."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db import DatabaseError, connection
from kombu.exceptions import OperationalError as BrokerDown

from orchestration.findings import Fault, NotSetUp, tried
from project.celery import app
from project.doctor.masked import shown
from project.telemetry.platform import UNREAD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestration.findings import Finding

PGMQ: Final = "pgmq://"
WAITS_S: Final = 30.0
"""A message is a nudge of a task that takes milliseconds; what waits for longer is not read."""
TICK_S: Final = 6.0
"""The clock sends something every two seconds."""
LOOK_S: Final = 0.2
_QUEUE: Final = "SELECT queue_length, total_messages FROM pgmq.metrics(%s)"


def examine() -> Iterator[Finding]:
    yield from tried([("broker", _broker), ("workers", _workers), ("beat", _beat)])
    yield from tried([("events", _events)])


def _broker() -> str:
    if settings.BROKER_URL == PGMQ:
        return f"in the database; {_asked(_QUEUE, settings.CELERY['task_default_queue'])[0]} messages"
    try:
        with app.connection() as line:
            line.ensure_connection(max_retries=1, timeout=5)
    except (BrokerDown, OSError) as exc:
        raise Fault(
            f"The broker does not answer: {exc}",
            causes=("it does not run", "ESTEIRA_BROKER_URL is wrong", "a firewall between them"),
            command=shown("ESTEIRA_BROKER_URL"),
        ) from exc
    return "answers"


def _asked(statement: str, *values: Any) -> tuple[Any, ...]:
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            row: tuple[Any, ...] = cursor.fetchone()
    except DatabaseError as exc:
        raise Fault(
            f"The queue cannot be read: {' '.join(str(exc).split())}",
            causes=("the migrations have not run", "the user has no rights on the schema pgmq: manage.py grant_role"),
            command="python manage.py prepare",
        ) from exc
    return row


def _workers() -> str:
    if settings.BROKER_URL != PGMQ:
        raise NotSetUp("Only the queue in the database tells how long its messages wait.")
    (_, waits_s) = _asked(UNREAD)
    if waits_s < WAITS_S:
        return "take what comes"
    raise Fault(
        f"Nobody takes messages: the oldest has waited for {waits_s:.0f} s. Jobs stand still.",
        causes=(
            "no worker runs",
            "the workers cannot reach the database: see their log",
            "all of them hang in one task: their log ends with its name",
        ),
        command="make run starts one; elsewhere: kubectl get pods -l app.kubernetes.io/component=worker",
    )


def _beat() -> str:
    if settings.BROKER_URL != PGMQ:
        raise NotSetUp("Only the queue in the database tells what was ever sent.")
    queue = settings.CELERY["task_default_queue"]
    before, end = _asked(_QUEUE, queue)[1], time.monotonic() + TICK_S
    while time.monotonic() < end:
        if _asked(_QUEUE, queue)[1] > before:
            return "ticks"
        time.sleep(LOOK_S)
    raise Fault(
        f"Nothing was sent for {TICK_S:.0f} s: what is to happen by the clock does not, such as retries and expiry.",
        causes=("celery beat does not run", "it cannot reach the database: see its log"),
        command="make run starts one; elsewhere: kubectl get pods -l app.kubernetes.io/component=beat",
    )


def _events() -> str:
    if not settings.EVENTS_QUEUE:
        raise NotSetUp("No queue of events: ESTEIRA_EVENTS_QUEUE is empty.")
    # Imported where it is used: a laptop has no need of boto3.
    from orchestration.queues.sqs import SqsQueue  # noqa: PLC0415

    waiting = SqsQueue(settings.EVENTS_QUEUE).waiting()
    return f"about {waiting} wait in the queue of the engine's events"
