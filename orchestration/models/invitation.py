"""Into a workspace, by a link that one person uses once."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, Self
from uuid import UUID

from django.core import signing
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from orchestration.ids import new_id
from orchestration.models.account import User, Workspace
from orchestration.states import Role

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

SALT: Final = "esteira.invitation"
UNUSED: Final = Q(accepted_at__isnull=True, revoked_at__isnull=True)


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Those of the workspaces one manages."""
        if not user.is_authenticated or user.service_of_id is not None:
            return self.none()
        return self.filter(workspace__in=Workspace.objects.managed_by(user))

    def unused(self) -> Self:
        return self.filter(UNUSED)

    def by_key(self, key: str) -> Self:
        """The one that a link leads to, as long as it does."""
        try:
            invitation_id, sends = signing.Signer(salt=SALT).unsign(key).split(".")
            found = {"pk": UUID(invitation_id), "sends": int(sends)}
        except (signing.BadSignature, ValueError):
            return self.none()
        return self.unused().filter(expires_at__gt=Now(), **found)


class Invitation(models.Model):
    """The link is made of the row and the server's key: nothing here opens anything."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="invitations")
    email = models.EmailField()
    role = models.CharField(max_length=16, choices=[(r, r) for r in Role])
    invited_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    # Part of the link: each one that is sent ends the one before.
    sends = models.PositiveSmallIntegerField(default=1)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    accepted_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar = InvitationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "email"], condition=UNUSED, name="invitation_once"),
            models.CheckConstraint(condition=Q(role__in=list(Role)), name="invitation_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.email} to {self.workspace_id}"

    @property
    def key(self) -> str:
        return signing.Signer(salt=SALT).sign(f"{self.pk.hex}.{self.sends}")
