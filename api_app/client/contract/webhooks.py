"""Calls of the contract: webhooks. Written by `make clients` from docs/openapi.json; changes here are lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api_app.client.calls import Call, Listing, Reads, new_key, segment
from api_app.client.trying import Repeat

if TYPE_CHECKING:
    from api_app.client.contract import shapes


def create_webhook(body: shapes.WebhookIn) -> Call[shapes.NewWebhook]:
    """For managers of the workspace. The answer holds the secret, and nothing else ever does."""
    return Call("POST", "/webhooks", body=body, repeat=Repeat.UNDONE)


def delete_webhook(webhook_id: str, *, key: str | None = None) -> Call[None]:
    """With the log of its deliveries."""
    return Call("DELETE", f"/webhooks/{segment(webhook_id)}", key=key or new_key(), reads=Reads.NOTHING)


def edit_webhook(webhook_id: str, body: shapes.WebhookEditIn, *, key: str | None = None) -> Call[shapes.Webhook]:
    """Switched off, it drops what waits; switched on, it hears of what happens from then on."""
    return Call("PATCH", f"/webhooks/{segment(webhook_id)}", key=key or new_key(), body=body)


def list_deliveries(
    webhook_id: str, *, state: shapes.DeliveryState | None = None, limit: int | None = None, cursor: str | None = None
) -> Listing[shapes.DeliveryBrief]:
    """The newest first; kept for 30 days after their end."""
    return Listing(
        "GET", f"/webhooks/{segment(webhook_id)}/deliveries", query={"state": state, "limit": limit, "cursor": cursor}
    )


def list_webhooks(
    *, workspace: str | None = None, limit: int | None = None, cursor: str | None = None
) -> Listing[shapes.Webhook]:
    """Of the workspaces that you manage, the newest first."""
    return Listing("GET", "/webhooks", query={"workspace": workspace, "limit": limit, "cursor": cursor})


def replay_delivery(webhook_id: str, delivery_id: str, *, key: str | None = None) -> Call[shapes.DeliveryBrief]:
    """Send it again at once, under the same `webhook-id`."""
    return Call(
        "POST", f"/webhooks/{segment(webhook_id)}/deliveries/{segment(delivery_id)}/replay", key=key or new_key()
    )


def replay_missed_deliveries(
    webhook_id: str, body: shapes.ReplayIn | None = None, *, key: str | None = None
) -> Call[shapes.Replayed]:
    """Send again what failed or was dropped, at most 10,000 at once."""
    return Call("POST", f"/webhooks/{segment(webhook_id)}/replay", key=key or new_key(), body=body)


def rotate_webhook_secret(webhook_id: str, body: shapes.RotateIn | None = None) -> Call[shapes.Secret]:
    """A new secret; for the time of the overlap each request carries a signature by the old one too."""
    return Call("POST", f"/webhooks/{segment(webhook_id)}/rotate-secret", body=body, repeat=Repeat.UNDONE)


def show_delivery(webhook_id: str, delivery_id: str) -> Call[shapes.Delivery]:
    """With what is sent and what the receiver answered."""
    return Call("GET", f"/webhooks/{segment(webhook_id)}/deliveries/{segment(delivery_id)}")


def show_webhook(webhook_id: str) -> Call[shapes.Webhook]:
    """Where it sends, what it is told of, and whether it fails; never its secret."""
    return Call("GET", f"/webhooks/{segment(webhook_id)}")


def test_webhook(webhook_id: str, *, key: str | None = None) -> Call[shapes.DeliveryBrief]:
    """Send a `webhook.test`, once. Its delivery says what came of it."""
    return Call("POST", f"/webhooks/{segment(webhook_id)}/test", key=key or new_key())
