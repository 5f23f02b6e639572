"""Who is in a workspace, and as what."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models.functions import Now

from orchestration.errors import Conflict, Forbidden, NotFound
from orchestration.models import Membership, ShareLink, Workspace
from orchestration.models.audit import write_audit
from orchestration.services.access import require_role
from orchestration.services.invitations import known_role
from orchestration.services.member_notices import tell_of_member
from orchestration.states import AuditAction, Role

if TYPE_CHECKING:
    from uuid import UUID

    from orchestration.models import User

log = logging.getLogger(__name__)


@transaction.atomic
def join_by_rule(*, user: User, workspace: str, role: str) -> bool:
    """Of somebody new, by a setting of the platform. False: there is no such workspace, and she is in none."""
    here = Workspace.objects.filter(slug=workspace).first()
    if here is None:
        log.warning("no such workspace to join", extra={"user_id": str(user.pk), "workspace": workspace})
        return False
    _, is_new = Membership.objects.get_or_create(workspace=here, user=user, defaults={"role": Role(role)})
    if is_new:
        write_audit(
            AuditAction.MEMBER_ADDED, by=user, workspace=here, about=user, name=user.username,
            after={"role": role, "by": "rule"},
        )  # fmt: skip
        tell_of_member("joined", here, user, by=user, role=role)
    log.info("joined by rule", extra={"user_id": str(user.pk), "workspace": workspace, "role": role})
    return True


def list_members(*, workspace: Workspace) -> list[Membership]:
    """People only: service accounts have a page of their own."""
    rows = Membership.objects.filter(workspace=workspace, user__service_of__isnull=True)
    return list(rows.select_related("user").order_by("user__username"))


def find_member(*, user: User, workspace: Workspace, member_id: UUID) -> Membership:
    """Oneself, and for managers everybody. Raises NotFound."""
    rows = Membership.objects.filter(workspace=workspace, user_id=member_id, user__service_of__isnull=True)
    if member_id != user.pk and not workspace.lets(user, Role.MANAGER):
        rows = rows.none()
    found = rows.select_related("user").first()
    if found is None:
        raise NotFound("There is no such person in this workspace that you look after.")
    return found


@transaction.atomic(durable=True)
def change_role(*, user: User, workspace: Workspace, member_id: UUID, role: str) -> None:
    """Raises Forbidden, NotFound, Invalid, Conflict."""
    as_role = known_role(role)
    member = _locked(user, workspace, member_id)
    # Whoever is made less just now must not make herself more again: leaving is all that one may do by oneself.
    require_role(user=user, workspace=workspace, role=Role.MANAGER)
    if as_role != Role.MANAGER:
        _not_the_last(workspace, member)
    Membership.objects.filter(pk=member.pk).update(role=as_role)
    if as_role != member.role:
        write_audit(
            AuditAction.MEMBER_CHANGED, by=user, workspace=workspace, about=member.user, name=member.user.username,
            before={"role": member.role}, after={"role": as_role},
        )  # fmt: skip
        tell_of_member("changed", workspace, member.user, by=user, role=as_role)
    _note("changed", workspace, member, by=user, role=as_role)


@transaction.atomic(durable=True)
def remove_member(*, user: User, workspace: Workspace, member_id: UUID) -> None:
    """Anybody may leave; a manager may have others leave. What they made stays, but no link to it. Raises the same."""
    member = _locked(user, workspace, member_id)
    _not_the_last(workspace, member)
    member.delete()
    # She knows their addresses, and would go on reading by them.
    links = ShareLink.objects.filter(workspace=workspace, created_by=member.user_id, revoked_at__isnull=True)
    revoked = links.update(revoked_at=Now(), revoked_by=user)
    write_audit(
        AuditAction.MEMBER_REMOVED, by=user, workspace=workspace, about=member.user, name=member.user.username,
        before={"role": member.role}, after={"links_revoked": revoked},
    )  # fmt: skip
    tell_of_member("left" if member.user_id == user.pk else "removed", workspace, member.user, by=user)
    _note("removed", workspace, member, by=user)


def _locked(user: User, workspace: Workspace, member_id: UUID) -> Membership:
    # Two managers who each remove the other would leave none.
    Workspace.objects.select_for_update(no_key=True).get(pk=workspace.pk)
    if user.service_of_id is not None:
        raise Forbidden("A service account cannot say who is in a workspace.")
    if member_id != user.pk or not Membership.objects.filter(workspace=workspace, user=user).exists():
        require_role(user=user, workspace=workspace, role=Role.MANAGER)
    rows = Membership.objects.filter(workspace=workspace, user_id=member_id, user__service_of__isnull=True)
    found = rows.select_related("user").first()
    if found is None:
        raise NotFound("There is no such person in this workspace.")
    return found


def _not_the_last(workspace: Workspace, member: Membership) -> None:
    if member.role != Role.MANAGER:
        return
    managers = Membership.objects.filter(workspace=workspace, role=Role.MANAGER, user__is_active=True)
    if not managers.filter(user__service_of__isnull=True).exclude(pk=member.pk).exists():
        raise Conflict("The last manager cannot go. Make somebody else a manager first.")


def _note(what: str, workspace: Workspace, member: Membership, *, by: User, **more: object) -> None:
    extra = {"workspace": str(workspace.pk), "user_id": str(member.user_id), "by": str(by.pk), **more}
    log.info("member %s", what, extra=extra)
