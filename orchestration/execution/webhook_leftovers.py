"""What still waits for webhooks that are off: whoever switched one off was killed before all of it was dropped."""

from __future__ import annotations

from django.db.models import Exists, OuterRef

from orchestration.models import WebhookDelivery, WebhookEndpoint


def drop_leftovers() -> int:
    """Of how many webhooks."""
    left = Exists(WebhookDelivery.objects.waiting().filter(endpoint=OuterRef("pk")))
    found = list(WebhookEndpoint.objects.filter(left, enabled_at__isnull=True))
    for endpoint in found:
        endpoint.drop_waiting()
    return len(found)
