"""Which secrets of a workspace somebody has been shown who is not in it any more, and that still hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.db.models import Q

from orchestration.models import ApiToken, AuditEntry, WebhookEndpoint
from orchestration.services.access import require_role
from orchestration.states import AuditAction, Role

if TYPE_CHECKING:
    from uuid import UUID

    from orchestration.models import User, Workspace

_HOOKS: Final = (AuditAction.WEBHOOK_CREATED, AuditAction.WEBHOOK_ROTATED)
_TOKENS: Final = (AuditAction.TOKEN_CREATED, AuditAction.TOKEN_ROTATED)


@dataclass(frozen=True, slots=True)
class KnownSecrets:
    webhooks: list[WebhookEndpoint]
    tokens: list[ApiToken]
    """Of service accounts: a person's own end with the membership."""

    @property
    def names(self) -> list[str]:
        return [*map(str, self.webhooks), *(f"{token.user.username}: {token.name}" for token in self.tokens)]


def secrets_known_to(*, user: User, person_id: UUID, workspace: Workspace) -> KnownSecrets:
    """A secret is shown once, to whoever makes it; the audit log knows who did, and whether somebody has since.

    Raises Forbidden.
    """
    require_role(user=user, workspace=workspace, role=Role.MANAGER)
    shown = AuditEntry.objects.filter(workspace_id=workspace.pk, action__in=_HOOKS).order_by("id")
    last = dict(shown.values_list("subject_id", "actor_id"))
    hooks = [key for key, actor in last.items() if actor == person_id]
    hers = AuditEntry.objects.filter(workspace_id=workspace.pk, actor_id=person_id)
    made, turned = (list(hers.filter(action=action).values_list("subject_id", flat=True)) for action in _TOKENS)
    tokens = ApiToken.objects.valid().filter(Q(pk__in=made) | Q(replaces__in=turned))
    return KnownSecrets(
        list(WebhookEndpoint.objects.filter(workspace=workspace, pk__in=hooks).order_by("pk")),
        list(tokens.filter(user__service_of=workspace).select_related("user").order_by("pk")),
    )
