"""Webhooks of a workspace, as its managers set them up. What is sent to them: `webhook_deliveries`."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.db.models.functions import Now

from orchestration.errors import Conflict, Invalid, NotFound
from orchestration.execution.webhook_intake import begin_bookmark
from orchestration.models import WebhookDelivery, WebhookEndpoint, WebhookSecret
from orchestration.models.audit import write_audit
from orchestration.services.access import find_workspace
from orchestration.states import WEBHOOK_CHOICES, WEBHOOK_ENDS, AuditAction, Role
from orchestration.webhooks.address import read_url
from orchestration.webhooks.sealing import new_secret, seal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from orchestration.models import User

log = logging.getLogger(__name__)

MOST_OF_A_WORKSPACE: Final = 20
MOST_SECRETS: Final = 4
"""Each signs: the header must not grow without end."""
MOST_TOGETHER: Final = 1_000
"""Deliveries of a deleted webhook in one statement: all of a long log would take longer than any may."""
OVERLAP_HOURS: Final = 24
LONGEST_OVERLAP_HOURS: Final = 168
# What is known of the receiver belongs to the address and to the time it was sent to.
_FRESH: Final[dict[str, Any]] = {"failures": 0, "failing_since": None, "rest_until": None}


def find_webhook(*, user: User, webhook_id: UUID) -> WebhookEndpoint:
    rows = WebhookEndpoint.objects.visible_to(user).select_related("workspace", "created_by")
    found: WebhookEndpoint | None = rows.filter(pk=webhook_id).first()
    if found is None:
        raise NotFound("There is no such webhook that you may manage.")
    return found


def create_webhook(
    *, user: User, url: str, workspace: str = "", kinds: Sequence[str] = WEBHOOK_ENDS, description: str = ""
) -> tuple[WebhookEndpoint, str]:
    """The row and its secret, which is shown this once. Raises Invalid, Conflict, Forbidden, NotFound."""
    here = find_workspace(user=user, slug=workspace, role=Role.MANAGER)
    endpoint = WebhookEndpoint(
        workspace=here,
        created_by=user,
        url=read_url(url).url,
        kinds=_known(kinds),
        description=description.strip(),
    )
    secret = new_secret()
    begin_bookmark()
    try:
        with transaction.atomic(durable=True):
            # Two managers at once would each see room for one more.
            type(here).objects.select_for_update(no_key=True).get(pk=here.pk)
            if here.webhooks.count() >= MOST_OF_A_WORKSPACE:
                raise Conflict(f"A workspace has at most {MOST_OF_A_WORKSPACE} webhooks. Delete one first.")
            endpoint.save(force_insert=True)
            WebhookSecret.objects.create(endpoint=endpoint, sealed=seal(secret, endpoint.pk))
            _audit(AuditAction.WEBHOOK_CREATED, user, endpoint, after=_shown(endpoint))
    except IntegrityError as exc:
        raise _taken(endpoint) from exc
    _note(user, endpoint, "created")
    endpoint.refresh_from_db()
    return endpoint, secret


def edit_webhook(*, user: User, endpoint: WebhookEndpoint, changes: dict[str, Any]) -> WebhookEndpoint:
    """`changes` of url, kinds, description and enabled. Raises Invalid, Conflict."""
    values: dict[str, Any] = {}
    if "kinds" in changes:
        values["kinds"] = _known(changes["kinds"])
    if "description" in changes:
        values["description"] = changes["description"].strip()
    if "url" in changes:
        values |= {"url": read_url(changes["url"]).url, **_FRESH}
    if changes.get("enabled") is True and not endpoint.is_enabled:
        endpoint.drop_waiting()  # what somebody who was killed had left
    try:
        with transaction.atomic(durable=True):
            locked = WebhookEndpoint.objects.select_for_update(no_key=True).get(pk=endpoint.pk)
            if values.get("url") == locked.url:
                values = {name: value for name, value in values.items() if name not in _FRESH}
            if changes.get("enabled") is True and not locked.is_enabled:
                locked.drop_waiting()  # and what came since
                values |= {"enabled_at": Now(), "disabled_why": "", "told_at": None, **_FRESH}
            if values:
                WebhookEndpoint.objects.filter(pk=locked.pk).update(**values)
            if changes.get("enabled") is False:
                locked.switch_off()
            before = _shown(locked)
            locked.refresh_from_db()
            after = _shown(locked) | {"address_changed": "url" in values}
            _audit(AuditAction.WEBHOOK_CHANGED, user, locked, before=before, after=after)
    except IntegrityError as exc:
        raise _taken(endpoint) from exc
    _note(user, endpoint, "changed", fields=sorted(changes))
    endpoint.refresh_from_db()
    return endpoint


def delete_webhook(*, user: User, endpoint: WebhookEndpoint) -> None:
    """With its deliveries: nothing more is sent, and the log of it is gone.

    Whoever is killed on the way leaves it switched off; asked again, the rest is deleted.
    """
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(enabled_at=None)
    while _delete_some(user, endpoint):
        pass
    _note(user, endpoint, "deleted")


@transaction.atomic(durable=True)
def _delete_some(user: User, endpoint: WebhookEndpoint) -> bool:
    """Deliveries; where none is left, the webhook itself, and then False."""
    mine = WebhookEndpoint.objects.filter(pk=endpoint.pk)
    # Before its deliveries, in the order of whoever records a try; and none is made while it is held like this.
    list(mine.select_for_update())
    ids = list(WebhookDelivery.objects.filter(endpoint=endpoint.pk).values_list("pk", flat=True)[:MOST_TOGETHER])
    WebhookDelivery.objects.filter(pk__in=ids).delete()
    if not ids and mine.delete()[0]:
        _audit(AuditAction.WEBHOOK_DELETED, user, endpoint, before=_shown(endpoint))
    return bool(ids)


def rotate_secret(*, user: User, endpoint: WebhookEndpoint, overlap_hours: int = OVERLAP_HOURS) -> tuple[Any, str]:
    """The present secret and its text, shown this once. Those before sign too, until the overlap is over."""
    if not 0 <= overlap_hours <= LONGEST_OVERLAP_HOURS:
        raise Invalid(f"The old secret may hold for 0 to {LONGEST_OVERLAP_HOURS} hours more.")
    secret = new_secret()
    end = Now() + timedelta(hours=overlap_hours)
    with transaction.atomic(durable=True):
        WebhookEndpoint.objects.select_for_update(no_key=True).get(pk=endpoint.pk)
        held = endpoint.secrets.order_by("-pk")
        held.filter(Q(until__isnull=True) | Q(until__gt=end)).update(until=end)
        kept = held.filter(until__gt=Now()).values_list("pk", flat=True)[: MOST_SECRETS - 1]
        endpoint.secrets.exclude(pk__in=list(kept)).delete()
        row = WebhookSecret.objects.create(endpoint=endpoint, sealed=seal(secret, endpoint.pk))
        _audit(AuditAction.WEBHOOK_ROTATED, user, endpoint, after={"overlap_hours": overlap_hours})
    _note(user, endpoint, "secret rotated", overlap_hours=overlap_hours)
    return row, secret


def _known(kinds: Sequence[str]) -> list[str]:
    if unknown := set(kinds) - set(WEBHOOK_CHOICES):
        raise Invalid(f"There is no event {', '.join(sorted(unknown))}. There are: {', '.join(WEBHOOK_CHOICES)}.")
    if not kinds:
        raise Invalid("Choose at least one kind of event.")
    return [kind for kind in WEBHOOK_CHOICES if kind in kinds]


def _taken(endpoint: WebhookEndpoint) -> Conflict:
    return Conflict(f"The workspace {endpoint.workspace.slug} has a webhook to this address already. Change that one.")


def _audit(action: AuditAction, user: User, endpoint: WebhookEndpoint, **said: Any) -> None:
    write_audit(action, by=user, workspace=endpoint.workspace, about=endpoint, name=endpoint.description, **said)


def _shown(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """Of its address the host alone: the rest is often a secret."""
    return {
        "host": urlsplit(endpoint.url).hostname or "",
        "kinds": list(endpoint.kinds),
        "description": endpoint.description,
        "enabled": endpoint.enabled_at is not None,
    }


def _note(user: User, endpoint: WebhookEndpoint, what: str, **more: Any) -> None:
    extra = {"user_id": str(user.pk), "workspace": endpoint.workspace.slug, "endpoint_id": str(endpoint.pk), **more}
    log.info("webhook %s", what, extra=extra)
