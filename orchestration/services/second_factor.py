"""Who needs more than a password, and who has it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import transaction

from orchestration.errors import Forbidden, SecondFactorNeeded
from orchestration.models import Workspace
from orchestration.models.audit import write_audit
from orchestration.services.letters import notify
from orchestration.states import AuditAction

if TYPE_CHECKING:
    from orchestration.models import User

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
