"""What becomes of a delivery, and of its webhook, after a request: delivered, again later, given up, switched off."""

from __future__ import annotations

import logging
import random
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Coalesce, Now

from orchestration.execution.notifying import managers_in, tell
from orchestration.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from orchestration.models.bulk import database_now
from orchestration.states import DeliveryState, NotificationKind, WebhookKind

if TYPE_CHECKING:
    from datetime import datetime

    from orchestration.webhooks.sending import Reply

log = logging.getLogger(__name__)

MINUTE_S, HOUR_S = 60, 3_600
RETRY_S: Final = (5, 5 * MINUTE_S, 30 * MINUTE_S, *(hours * HOUR_S for hours in (2, 5, 10, 14, 20, 24)))
"""After each failed try: three days and four hours together, as Standard Webhooks advises."""
JITTER: Final = 0.1
PATIENCE: Final = timedelta(days=3)
"""Without one success a webhook is switched off."""
FIRST_REST_S: Final = 5.0
LONGEST_REST_S: Final = 15.0 * MINUTE_S
DOWN_AFTER: Final = 3
"""So many failures in a row are an outage: with its end everything that waits is due."""
_TROUBLE: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
GONE: Final = "The receiver answered 410 Gone: it wants nothing more."
SILENT: Final = "Nothing got through for three days. The last try: {said}"


def record(delivery: WebhookDelivery, reply: Reply, *, url: str) -> bool:
    """`url` is where it was sent. False: somebody else has sent it meanwhile, or it was dropped; nothing is written."""
    with transaction.atomic():
        endpoint = WebhookEndpoint.objects.select_for_update(no_key=True).filter(pk=delivery.endpoint_id).first()
        if endpoint is None:
            return False
        # The receiver before the present one has refused it: that is no word of the present one's.
        is_elsewhere = endpoint.url != url
        settled = {"due_at": Now()} if is_elsewhere and not _went_through(reply) else _settled(delivery, reply)
        mine = WebhookDelivery.objects.waiting().filter(pk=delivery.pk, tries=delivery.tries)
        if not mine.update(tries=F("tries") + 1, status=reply.status, problem=_said(reply)[:500], **settled):
            return False
        WebhookAttempt.objects.create(
            delivery=delivery, took_ms=reply.took_ms, status=reply.status, problem=reply.problem, answer=reply.answer
        )
        if not is_elsewhere:
            _judge(endpoint, delivery, reply)
    log.info(
        "webhook sent",
        extra={
            "endpoint_id": str(endpoint.pk),
            "delivery_id": str(delivery.pk),
            "status": reply.status,
            "took_ms": reply.took_ms,
            "problem": reply.problem,
        },
    )
    return True


def _said(reply: Reply) -> str:
    if reply.status is None:
        return reply.problem
    if _went_through(reply):
        return ""
    known = reply.status in {*HTTPStatus}
    said = f"{reply.status} {HTTPStatus(reply.status).phrase}" if known else str(reply.status)
    return f"{said}: redirects are not followed." if _is_redirect(reply) else said


def _went_through(reply: Reply) -> bool:
    return reply.status is not None and HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES


def _is_redirect(reply: Reply) -> bool:
    return reply.status is not None and HTTPStatus.MULTIPLE_CHOICES <= reply.status < HTTPStatus.BAD_REQUEST


def _is_trouble(reply: Reply) -> bool:
    """Of the receiver as a whole; another 4xx is its word on this one message."""
    return reply.status is None or reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR or reply.status in _TROUBLE


def _settled(delivery: WebhookDelivery, reply: Reply) -> dict[str, Any]:
    if _went_through(reply):
        return {"state": DeliveryState.DELIVERED, "finished_at": Now()}
    is_last = delivery.kind == WebhookKind.TEST or delivery.tries >= len(RETRY_S)
    if is_last or reply.status == HTTPStatus.GONE:
        return {"state": DeliveryState.FAILED, "finished_at": Now()}
    return {"due_at": _in(max(_about(RETRY_S[delivery.tries]), reply.later_s))}


def _judge(endpoint: WebhookEndpoint, delivery: WebhookDelivery, reply: Reply) -> None:
    me = WebhookEndpoint.objects.filter(pk=endpoint.pk)
    if _went_through(reply):
        me.update(failures=0, failing_since=None, rest_until=None, took_ms=reply.took_ms)
        if endpoint.failures >= DOWN_AFTER:
            endpoint.deliveries.waiting().filter(due_at__gt=Now()).update(due_at=Now())
    elif reply.status == HTTPStatus.GONE:
        _give_up(endpoint, GONE)
    elif delivery.kind != WebhookKind.TEST:
        me.update(failing_since=Coalesce("failing_since", Now()), took_ms=reply.took_ms, **_rest(endpoint, reply))
        if endpoint.failing_since and database_now() - endpoint.failing_since > PATIENCE:
            _give_up(endpoint, SILENT.format(said=_said(reply)))


def _give_up(endpoint: WebhookEndpoint, why: str) -> None:
    if endpoint.switch_off(why):
        tell(
            kind=NotificationKind.WEBHOOK_OFF,
            workspace_id=endpoint.workspace_id,
            people=managers_in(endpoint.workspace_id),
            group=str(endpoint.pk),
            data={"webhook": str(endpoint.pk), "url": endpoint.url[:200], "why": why[:500]},
        )


def _rest(endpoint: WebhookEndpoint, reply: Reply) -> dict[str, Any]:
    if not _is_trouble(reply):
        return {}
    rest_s = min(FIRST_REST_S * 2 ** min(endpoint.failures, 16), LONGEST_REST_S)
    return {"failures": F("failures") + 1, "rest_until": _in(max(_about(rest_s), reply.later_s))}


def _about(seconds: float) -> float:
    """Not all at the same moment after an outage of ours."""
    return seconds * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  spreads tries, guards nothing


def _in(seconds: float) -> datetime:
    return database_now() + timedelta(seconds=seconds)
