"""Deliveries are sent: each webhook in turn, by one sender at a time, which it cannot keep from the others.

Claim a webhook by a lease, and for each delivery: read, let the connection go, send, record. Whoever is killed on
the way leaves a lease that runs out, and the delivery is sent once more under the same id.
"""

from __future__ import annotations

import logging
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid4

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Now

from orchestration import going
from orchestration.errors import WebhookSecretLost
from orchestration.execution.isolation import one_at_a_time
from orchestration.execution.webhook_intake import take_in
from orchestration.execution.webhook_outcome import record
from orchestration.models import WebhookDelivery, WebhookEndpoint
from orchestration.points import point
from orchestration.webhooks.envelope import CONTENT_TYPE
from orchestration.webhooks.sealing import unseal
from orchestration.webhooks.sending import send
from orchestration.webhooks.signing import signed_headers

if TYPE_CHECKING:
    from orchestration.webhooks.sending import Reply

log = logging.getLogger(__name__)

LEASE: Final = timedelta(minutes=2)
"""Renewed before each request. Longer than a request and the look-up of a name before it."""
TURN_S: Final = 10.0
"""After so long others that wait have their turn."""
ROUND_S: Final = 20.0
"""After so long a worker is left to others; senders under way go on."""
USER_AGENT: Final = "Esteira-Webhooks/1"


class _Crew:
    """The senders of this process. Half of them go only to receivers that answered the last time, and soon."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._busy = 0
        self._with_troubled = 0

    def wait_for_one(self, seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._busy < settings.WEBHOOK_SENDERS, seconds)

    @property
    def only_calm(self) -> bool:
        return self._with_troubled >= max(1, settings.WEBHOOK_SENDERS // 2)

    def give(self, endpoint: WebhookEndpoint) -> None:
        if settings.WEBHOOK_SENDERS == 1:
            _turn(endpoint)
            return
        with self._changed:
            self._busy += 1
            self._with_troubled += not endpoint.is_calm
        threading.Thread(target=self._work, args=(endpoint,), name="webhook", daemon=True).start()

    def _work(self, endpoint: WebhookEndpoint) -> None:
        try:
            _turn(endpoint)
        except OperationalError as exc:
            # Nobody is above this thread. The lease runs out, and somebody with a database goes on.
            log.warning("webhook sender lost the database", extra={"error": str(exc)})
        finally:
            connection.close()
            with self._changed:
                self._busy -= 1
                self._with_troubled -= not endpoint.is_calm
                self._changed.notify_all()

    def rest(self, seconds: float) -> bool:
        """Whether all have come back by then."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._busy, seconds)


crew: Final = _Crew()
_one_round: Final = threading.Lock()


def send_due() -> bool:
    """Make deliveries of what has happened and begin to send what is due. True: there is more to do at once."""
    if not _one_round.acquire(blocking=False):
        return False
    try:
        return _round()
    finally:
        _one_round.release()


def _round() -> bool:
    end = time.monotonic() + ROUND_S
    next_intake = 0.0
    while going.is_before(end):
        begun = time.monotonic()
        if begun >= next_intake:
            take_in()
            # It may have waited for somebody's long transaction. What is due already is sent meanwhile.
            next_intake = time.monotonic() + 2 * (time.monotonic() - begun)
        if not crew.wait_for_one(min(end - time.monotonic(), 1.0)):
            continue
        endpoint = _claim(only_calm=crew.only_calm)
        if endpoint is None:
            return False
        crew.give(endpoint)
    return True


@transaction.atomic
def _claim(*, only_calm: bool) -> WebhookEndpoint | None:
    """Whoever has something to be sent and waits longest for a turn."""
    free = Q(taken_until__isnull=True) | Q(taken_until__lt=Now())
    awake = Q(rest_until__isnull=True) | Q(rest_until__lte=Now())
    due = Exists(WebhookDelivery.objects.next_of_jobs().filter(endpoint=OuterRef("pk")))
    rows = WebhookEndpoint.objects.filter(free, awake, due, enabled_at__isnull=False)
    if only_calm:
        rows = rows.calm()
    waiting = rows.order_by(F("turn_at").asc(nulls_first=True), "pk")
    found: WebhookEndpoint | None = waiting.select_for_update(skip_locked=True, no_key=True, of=("self",)).first()
    if found is not None:
        found.taken_by = uuid4()
        WebhookEndpoint.objects.filter(pk=found.pk).update(
            taken_by=found.taken_by, taken_until=Now() + LEASE, turn_at=Now()
        )
    return found


def _turn(endpoint: WebhookEndpoint) -> None:
    with one_at_a_time(endpoint.pk):
        end = time.monotonic() + TURN_S
        while going.is_before(end) and _next(endpoint.pk, endpoint.taken_by):
            pass
        # Not in a `finally`: what went wrong here would go wrong again at once, and so waits for the lease's end.
        WebhookEndpoint.objects.filter(pk=endpoint.pk, taken_by=endpoint.taken_by).update(
            taken_by=None, taken_until=None
        )


def _next(endpoint_id: UUID, holder: UUID | None) -> bool:
    """Send the next delivery. False: there is none, or not now, or the lease is somebody else's by now."""
    mine = WebhookEndpoint.objects.filter(pk=endpoint_id, taken_by=holder, enabled_at__isnull=False)
    awake = mine.filter(Q(rest_until__isnull=True) | Q(rest_until__lte=Now()))
    if not awake.update(taken_until=Now() + LEASE):
        return False
    endpoint = mine.first()
    if endpoint is None:
        return False  # deleted or switched off since that look
    delivery = endpoint.deliveries.next_of_jobs().order_by("due_at", "event_id", "pk").first()
    if delivery is None:
        return False
    try:
        secrets = _secrets(endpoint)
    except WebhookSecretLost as exc:
        endpoint.switch_off(str(exc))
        return False
    _let_go()
    point("webhook.claimed")
    reply = _send(endpoint.url, delivery, secrets)
    point("webhook.sent")
    return record(delivery, reply, url=endpoint.url)


def _let_go() -> None:
    """The connection is not kept while a receiver thinks, except in a transaction of the caller (tests)."""
    if not connection.in_atomic_block:
        connection.close()


def _secrets(endpoint: WebhookEndpoint) -> list[str]:
    """Those that hold, the present one first."""
    valid = endpoint.secrets.filter(Q(until__isnull=True) | Q(until__gt=Now())).order_by("-pk")
    return [unseal(row.sealed, endpoint.pk) for row in valid]


def _send(url: str, delivery: WebhookDelivery, secrets: list[str]) -> Reply:
    body = delivery.body.encode()
    signed = signed_headers(message_id=delivery.message_id, timestamp=int(time.time()), body=body, secrets=secrets)
    # The length is said, so that a receiver need not understand a body in pieces.
    plain = {"content-type": CONTENT_TYPE, "content-length": str(len(body)), "accept-encoding": "identity"}
    return send(url, body, {**plain, "user-agent": USER_AGENT, **signed})
