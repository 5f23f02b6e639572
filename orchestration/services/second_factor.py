"""Who needs more than a password, and who has it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db import transaction

from orchestration.errors import Conflict, Forbidden, SecondFactorNeeded
from orchestration.models import User, Workspace
from orchestration.models.audit import write_audit
from orchestration.services.access import require_role
from orchestration.services.letters import notify
from orchestration.states import AuditAction, Role

if TYPE_CHECKING:
    from uuid import UUID

log = logging.getLogger(__name__)

# Recovery codes are for when one of these is lost, and none by themselves.
FACTORS: Final = ("totp", "webauthn")


def has_second_factor(*, user: User) -> bool:
    return user.authenticator_set.filter(type__in=FACTORS).exists()


def must_have_second_factor(*, user: User) -> bool:
    """Whoever has no password here signs in elsewhere, where more can be asked for."""
    if not user.has_usable_password():
        return False
    if settings.SECOND_FACTOR == "everyone":
        return True
    if settings.SECOND_FACTOR == "admins" and (user.is_staff or user.is_superuser):
        return True
    return bool(Workspace.objects.filter(memberships__user=user, needs_second_factor=True).exists())


def must_set_up(*, user: User) -> bool:
    return must_have_second_factor(user=user) and not has_second_factor(user=user)


def require_password_enough(*, user: User) -> None:
    """Raises SecondFactorNeeded."""
    if has_second_factor(user=user) or must_have_second_factor(user=user):
        raise SecondFactorNeeded


@transaction.atomic(durable=True)
def ask_of_members(*, user: User, workspace: Workspace, needed: bool) -> None:
    """Of everybody in it, from their next page or call on. Raises Forbidden, Conflict."""
    require_role(user=user, workspace=workspace, role=Role.MANAGER)
    if user.service_of_id is not None:
        raise Forbidden("A service account cannot say who needs a second factor.")
    if needed and user.has_usable_password() and not has_second_factor(user=user):
        raise Conflict("Set up a second factor of your own first: without one you could not come back here.")
    if Workspace.objects.filter(pk=workspace.pk).exclude(needs_second_factor=needed).update(needs_second_factor=needed):
        extra = {"workspace": str(workspace.pk), "by": str(user.pk), "needed": needed}
        log.info("second factor of members", extra=extra)


def without_second_factor(*, workspace: Workspace) -> set[UUID]:
    """Members who would be led to set one up."""
    people = User.objects.filter(memberships__workspace=workspace, service_of__isnull=True)
    people = people.exclude(password__startswith=UNUSABLE_PASSWORD_PREFIX).exclude(authenticator__type__in=FACTORS)
    return set(people.values_list("pk", flat=True))


@transaction.atomic(durable=True)
def remove_second_factors(*, by: User, user: User) -> int:
    """For somebody who has lost all of hers; the number of what was removed. Raises Forbidden."""
    if not by.is_superuser:
        raise Forbidden("Only an administrator of the platform can remove somebody's second factors.")
    removed, _ = user.authenticator_set.all().delete()
    if removed:
        notify(user=user, about="second_factors_removed")
        write_audit(
            AuditAction.FACTOR_REMOVED, by=by, about=user, name=user.username, after={"removed": removed, "all": True}
        )
        log.info("second factors removed", extra={"user_id": str(user.pk), "by": str(by.pk), "removed": removed})
    return removed
