"""manage.py consume_events: take the events of the cloud from their queue until told to stop."""

from __future__ import annotations

import logging
import signal
import threading
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DataError, InterfaceError, OperationalError, close_old_connections

from orchestration.errors import EventRefused, QueueRejected, QueueUnavailable
from orchestration.queues.sqs import SqsQueue
from orchestration.services.events import record_event
from project import pulse

if TYPE_CHECKING:
    from orchestration.queues.base import Message, Queue

log = logging.getLogger(__name__)

WAIT_S: Final = 5
"""A question to the queue lasts so long, and so long at most a stop."""
PAUSE_S: Final = 5.0
"""After the queue or the database did not answer."""


class Command(BaseCommand):
    help = "Take the events of the cloud (malware scans, jobs on AWS) from ESTEIRA_EVENTS_QUEUE until told to stop."

    def handle(self, **_: Any) -> None:
        if not settings.EVENTS_QUEUE:
            raise CommandError("ESTEIRA_EVENTS_QUEUE is not set. Name the queue: https://sqs.REGION.amazonaws.com/…")
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        try:
            consume(SqsQueue(settings.EVENTS_QUEUE), stop)
        except QueueRejected as exc:
            raise CommandError(str(exc)) from exc


def consume(queue: Queue, stop: threading.Event) -> None:
    while not stop.is_set():
        pulse.beat()
        try:
            for message in queue.receive(wait_s=WAIT_S):
                if stop.is_set():
                    return  # the queue gives the rest to somebody else
                _take(queue, message)
        except (QueueUnavailable, OperationalError, InterfaceError) as exc:
            log.warning("events cannot be taken yet", extra={"error": str(exc)})
            stop.wait(PAUSE_S)


def _take(queue: Queue, message: Message) -> None:
    """Deleted only when it is recorded. What nobody understands stays, and the queue puts it aside in the end."""
    try:
        record_event(body=message.body)
    except (EventRefused, DataError, UnicodeEncodeError) as exc:  # DataError: what PostgreSQL cannot store, such as NUL
        log.warning("event refused", extra={"error": str(exc), "times": message.times})
        return
    finally:
        close_old_connections()  # the next one comes with a connection that is known to work
    queue.delete(message)
