"""Who did what, when and to what: rows that are written with the change they tell of, and never touched again."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from orchestration.asking import current_address, current_request
from orchestration.models.account import User, Workspace

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from django.contrib.auth.models import AnonymousUser

    from orchestration.states import AuditAction

MOST_TEXT: Final = 500
NO_DIGEST: Final = "0" * 64
"""What the first seal goes on from."""


class AuditEntryQuerySet(models.QuerySet["AuditEntry"]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Of the workspaces that one manages."""
        if not user.is_authenticated:
            return self.none()
        return self if user.sees_all else self.filter(workspace_id__in=Workspace.objects.managed_by(user).values("pk"))


class AuditEntry(models.Model):
    """Plain ids and names as they were: whatever is deleted later, the entry goes on saying the same.

    A rule of the database refuses UPDATE, DELETE and TRUNCATE, so nothing here may be filled in later: the chain is in
    `AuditSeal`.
    """

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(db_default=Now())
    action = models.CharField(max_length=40)
    # None: nobody who is known, such as a visitor with a link.
    actor_id = models.UUIDField(null=True, blank=True)
    actor = models.CharField(max_length=150, blank=True)
    workspace_id = models.UUIDField(null=True, blank=True)
    workspace = models.CharField(max_length=63, blank=True)
    subject_kind = models.CharField(max_length=40, blank=True)
    subject_id = models.CharField(max_length=64, blank=True)
    subject = models.CharField(max_length=200, blank=True)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    request_id = models.CharField(max_length=64, blank=True)
    address = models.CharField(max_length=45, blank=True)

    objects: ClassVar = AuditEntryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["workspace_id", "-id"], name="audit_by_workspace"),
            models.Index(fields=["actor_id", "-id"], name="audit_by_actor"),
            models.Index(fields=["at"], name="audit_by_time"),
            models.Index(fields=["action", "-id"], name="audit_by_action"),
            models.Index(fields=["subject_id", "-id"], condition=~Q(subject_id=""), name="audit_by_subject"),
            models.Index(fields=["request_id", "-id"], condition=~Q(request_id=""), name="audit_by_request"),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.action}"

    @property
    def changes(self) -> list[tuple[str, Any, Any]]:
        """What it was, None where that is not said, and what it is."""
        names = [*self.after, *(name for name in self.before if name not in self.after)]
        return [(name, self.before.get(name), self.after.get(name, "")) for name in names]

    def told(self) -> dict[str, Any]:
        """All that it says, as plain values: what is exported, and what a seal is over."""
        return {
            "id": self.pk,
            "at": self.at.astimezone(UTC).isoformat(timespec="microseconds"),
            "action": self.action,
            "actor_id": _text(self.actor_id),
            "actor": self.actor,
            "workspace_id": _text(self.workspace_id),
            "workspace": self.workspace,
            "subject_kind": self.subject_kind,
            "subject_id": self.subject_id,
            "subject": self.subject,
            "before": self.before,
            "after": self.after,
            "request_id": self.request_id,
            "address": self.address,
        }

    def digest(self, previous: str) -> str:
        told = json.dumps(self.told(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(f"{previous}\n{told}".encode()).hexdigest()


class AuditSeal(models.Model):
    """One link of the chain: the digest of an entry and of the seal before it. `position` counts without a gap."""

    position = models.BigIntegerField(primary_key=True)
    entry_id = models.BigIntegerField(unique=True)
    digest = models.CharField(max_length=64)
    sealed_at = models.DateTimeField(db_default=Now())

    objects: ClassVar = models.Manager()

    def __str__(self) -> str:
        return f"{self.position}:{self.digest}"


def write_audit(
    action: AuditAction,
    *,
    by: User | None,
    workspace: Workspace | None = None,
    about: models.Model | None = None,
    name: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """In the caller's transaction: there is no change without its entry, and no entry without the change.

    `name` is what people know `about` by. Never a secret in any of it: it is kept for good and shown to managers.
    """
    AuditEntry.objects.create(
        action=action,
        actor_id=by.pk if by else None,
        actor=by.username if by else "",
        workspace_id=workspace.pk if workspace else None,
        workspace=workspace.slug if workspace else "",
        subject_kind=about._meta.model_name or "" if about else "",  # noqa: SLF001  the documented way to its name
        subject_id=str(about.pk) if about else "",
        subject=name[:200],
        before=_plain(before),
        after=_plain(after),
        request_id=current_request.get()[:64],
        address=current_address.get()[:45],
    )


def _plain(values: Mapping[str, Any] | None) -> dict[str, Any]:
    return {key: _value(value) for key, value in (values or {}).items()}


def _value(value: Any) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, list | tuple):
        return [_value(one) for one in value[:100]]
    if isinstance(value, dict):
        return _plain(value)
    return str(value)[:MOST_TEXT]


def _text(id_: UUID | None) -> str | None:
    return str(id_) if id_ else None
