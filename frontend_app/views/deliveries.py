"""One delivery of a webhook: what was sent, what was answered, and once more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from django.contrib import messages
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from frontend_app.http import Request, answers_errors, page, refusals_said
from orchestration.errors import Conflict
from orchestration.services import webhook_deliveries as deliveries
from orchestration.services.webhooks import find_webhook

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse

TRIES_SHOWN = 50


@require_safe
@answers_errors
def delivery_detail(request: Request, webhook_id: UUID, delivery_id: UUID) -> HttpResponse:
    endpoint = find_webhook(user=request.user, webhook_id=webhook_id)
    delivery = deliveries.find_delivery(endpoint=endpoint, delivery_id=delivery_id)
    context = {
        "webhook": endpoint,
        "delivery": delivery,
        "attempts": delivery.attempts.order_by("-pk")[:TRIES_SHOWN],
        "body": json.dumps(json.loads(delivery.body), indent=2, ensure_ascii=False),
    }
    return page(request, "frontend_app/webhooks/delivery.html", context)


@require_POST
@answers_errors
def delivery_replay(request: Request, webhook_id: UUID, delivery_id: UUID) -> HttpResponse:
    endpoint = find_webhook(user=request.user, webhook_id=webhook_id)
    delivery = deliveries.find_delivery(endpoint=endpoint, delivery_id=delivery_id)
    with refusals_said(request, Conflict):
        deliveries.replay(endpoint=endpoint, delivery=delivery)
        messages.success(request, _("It is sent again."))
    return redirect("delivery-detail", webhook_id, delivery_id)
