"""Webhooks of a workspace, and the log of what was sent to them (docs/webhooks.md)."""

import json
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from api_app.auth import ask
from api_app.paging import Cursor, Limit, page
from api_app.schemas import Listing, Slug
from api_app.webhook_schemas import (
    DeliveryBrief,
    DeliveryOut,
    NewWebhookOut,
    ReplayedOut,
    ReplayIn,
    RotateIn,
    SecretOut,
    TryOut,
    WebhookEditIn,
    WebhookIn,
    WebhookOut,
)
from orchestration.models import User, WebhookDelivery, WebhookEndpoint
from orchestration.services import webhook_deliveries as deliveries
from orchestration.services import webhooks
from orchestration.services.access import find_workspace
from orchestration.services.webhooks import find_webhook
from orchestration.states import DeliveryState, Role, WebhookKind

router = APIRouter(tags=["webhooks"])
TRIES_SHOWN = 50
State = Annotated[DeliveryState | None, Query()]


@router.post("/webhooks", status_code=201)
async def create_webhook(request: Request, response: Response, body: WebhookIn) -> NewWebhookOut:
    """For managers of the workspace. The answer holds the secret, and nothing else ever does."""
    made = await ask(request, _create, body)
    response.headers["location"] = f"/api/v1/webhooks/{made.id}"
    response.headers["cache-control"] = "no-store"
    return made


def _create(user: User, body: WebhookIn) -> NewWebhookOut:
    endpoint, secret = webhooks.create_webhook(user=user, **body.model_dump())
    return NewWebhookOut(**_fields(endpoint), secret=secret)


@router.get("/webhooks")
async def list_webhooks(
    request: Request, workspace: Annotated[Slug, Query()] = "", limit: Limit = 50, cursor: Cursor = None
) -> Listing[WebhookOut]:
    """Of the workspaces that you manage, the newest first."""
    return await ask(request, _list, workspace, limit, cursor)


def _list(user: User, slug: str, limit: int, cursor: str | None) -> Listing[WebhookOut]:
    rows = WebhookEndpoint.objects.visible_to(user).select_related("workspace", "created_by")
    if slug:
        rows = rows.filter(workspace=find_workspace(user=user, slug=slug, role=Role.MANAGER))
    found = page(rows, limit=limit, cursor=cursor)
    return Listing(items=[_out(endpoint) for endpoint in found.rows], next_cursor=found.next_cursor)


@router.get("/webhooks/{webhook_id}")
async def show_webhook(request: Request, webhook_id: UUID) -> WebhookOut:
    """Where it sends, what it is told of, and whether it fails; never its secret."""
    return await ask(request, lambda user: _out(find_webhook(user=user, webhook_id=webhook_id)))


@router.patch("/webhooks/{webhook_id}")
async def edit_webhook(request: Request, webhook_id: UUID, body: WebhookEditIn) -> WebhookOut:
    """Switched off, it drops what waits; switched on, it hears of what happens from then on."""
    changes = body.model_dump(exclude_none=True)

    def work(user: User) -> WebhookOut:
        endpoint = find_webhook(user=user, webhook_id=webhook_id)
        return _out(webhooks.edit_webhook(user=user, endpoint=endpoint, changes=changes))

    return await ask(request, work)


@router.delete("/webhooks/{webhook_id}", status_code=204)
async def delete_webhook(request: Request, webhook_id: UUID) -> None:
    """With the log of its deliveries."""

    def work(user: User) -> None:
        webhooks.delete_webhook(user=user, endpoint=find_webhook(user=user, webhook_id=webhook_id))

    await ask(request, work)


@router.post("/webhooks/{webhook_id}/rotate-secret")
async def rotate_webhook_secret(
    request: Request, response: Response, webhook_id: UUID, body: RotateIn | None = None
) -> SecretOut:
    """A new secret; for the time of the overlap each request carries a signature by the old one too."""
    response.headers["cache-control"] = "no-store"

    def work(user: User) -> SecretOut:
        endpoint = find_webhook(user=user, webhook_id=webhook_id)
        row, secret = webhooks.rotate_secret(
            user=user, endpoint=endpoint, overlap_hours=(body or RotateIn()).overlap_hours
        )
        return SecretOut(secret=secret, created_at=row.created_at)

    return await ask(request, work)


@router.post("/webhooks/{webhook_id}/test", status_code=202)
async def test_webhook(request: Request, webhook_id: UUID) -> DeliveryBrief:
    """Send a `webhook.test`, once. Its delivery says what came of it."""

    def work(user: User) -> DeliveryBrief:
        return _brief(deliveries.send_test(endpoint=find_webhook(user=user, webhook_id=webhook_id)))

    return await ask(request, work)


@router.get("/webhooks/{webhook_id}/deliveries")
async def list_deliveries(
    request: Request, webhook_id: UUID, state: State = None, limit: Limit = 50, cursor: Cursor = None
) -> Listing[DeliveryBrief]:
    """The newest first; kept for 30 days after their end."""
    return await ask(request, _deliveries, webhook_id, state, limit, cursor)


def _deliveries(
    user: User, webhook_id: UUID, state: DeliveryState | None, limit: int, cursor: str | None
) -> Listing[DeliveryBrief]:
    rows = find_webhook(user=user, webhook_id=webhook_id).deliveries.all()
    found = page(rows.filter(state=state) if state else rows, limit=limit, cursor=cursor)
    return Listing(items=[_brief(one) for one in found.rows], next_cursor=found.next_cursor)


@router.get("/webhooks/{webhook_id}/deliveries/{delivery_id}")
async def show_delivery(request: Request, webhook_id: UUID, delivery_id: UUID) -> DeliveryOut:
    """With what is sent and what the receiver answered."""
    return await ask(request, lambda user: _whole(_find(user, webhook_id, delivery_id)))


@router.post("/webhooks/{webhook_id}/deliveries/{delivery_id}/replay", status_code=202)
async def replay_delivery(request: Request, webhook_id: UUID, delivery_id: UUID) -> DeliveryBrief:
    """Send it again at once, under the same `webhook-id`."""

    def work(user: User) -> DeliveryBrief:
        endpoint = find_webhook(user=user, webhook_id=webhook_id)
        delivery = deliveries.find_delivery(endpoint=endpoint, delivery_id=delivery_id)
        return _brief(deliveries.replay(endpoint=endpoint, delivery=delivery))

    return await ask(request, work)


@router.post("/webhooks/{webhook_id}/replay", status_code=202)
async def replay_missed_deliveries(request: Request, webhook_id: UUID, body: ReplayIn | None = None) -> ReplayedOut:
    """Send again what failed or was dropped, at most 10,000 at once."""

    def work(user: User) -> ReplayedOut:
        endpoint = find_webhook(user=user, webhook_id=webhook_id)
        return ReplayedOut(replayed=deliveries.replay_missed(endpoint=endpoint, since=body.since if body else None))

    return await ask(request, work)


def _find(user: User, webhook_id: UUID, delivery_id: UUID) -> WebhookDelivery:
    endpoint = find_webhook(user=user, webhook_id=webhook_id)
    return deliveries.find_delivery(endpoint=endpoint, delivery_id=delivery_id)


def _fields(endpoint: WebhookEndpoint) -> dict[str, Any]:
    return {
        "id": endpoint.pk,
        "workspace": endpoint.workspace.slug,
        "url": endpoint.url,
        "kinds": endpoint.kinds,
        "description": endpoint.description,
        "enabled": endpoint.is_enabled,
        "disabled_reason": endpoint.disabled_why or None,
        "failing_since": endpoint.failing_since,
        "rests_until": endpoint.rest_until,
        "created_by": endpoint.created_by.username,
        "created_at": endpoint.created_at,
    }


def _out(endpoint: WebhookEndpoint) -> WebhookOut:
    return WebhookOut(**_fields(endpoint))


def _brief_fields(delivery: WebhookDelivery) -> dict[str, Any]:
    return {
        "id": delivery.pk,
        "webhook": delivery.endpoint_id,
        "message_id": delivery.message_id,
        "kind": WebhookKind(delivery.kind),
        "job": delivery.job_id,
        "event": delivery.event_id,
        "state": DeliveryState(delivery.state),
        "tries": delivery.tries,
        "due_at": delivery.due_at if delivery.state == DeliveryState.WAITING else None,
        "status": delivery.status,
        "problem": delivery.problem or None,
        "created_at": delivery.created_at,
        "finished_at": delivery.finished_at,
    }


def _brief(delivery: WebhookDelivery) -> DeliveryBrief:
    return DeliveryBrief(**_brief_fields(delivery))


def _whole(delivery: WebhookDelivery) -> DeliveryOut:
    tries = [
        TryOut(
            at=one.at, took_ms=one.took_ms, status=one.status, problem=one.problem or None, answer=one.answer or None
        )
        for one in delivery.attempts.order_by("-pk")[:TRIES_SHOWN]
    ]
    return DeliveryOut(**_brief_fields(delivery), attempts=tries, body=json.loads(delivery.body))
