"""What django and django-allauth tell of accounts, written into the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.account.signals import password_changed, password_reset, password_set
from allauth.mfa.signals import authenticator_added, authenticator_removed, authenticator_reset
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver

from orchestration.services.sign_ins import note_account, note_failed_sign_in
from orchestration.states import AuditAction

if TYPE_CHECKING:
    from allauth.mfa.models import Authenticator

    from orchestration.models import User


@receiver(user_logged_in)
def signed_in(user: User, **_: Any) -> None:
    note_account(AuditAction.SIGNED_IN, user=user)


@receiver(user_login_failed)
def sign_in_failed(credentials: dict[str, Any], **_: Any) -> None:
    note_failed_sign_in(login=str(credentials.get("username") or credentials.get("email") or ""))


@receiver(user_logged_out)
def signed_out(user: User | None, **_: Any) -> None:
    if user is not None:
        note_account(AuditAction.SIGNED_OUT, user=user)


@receiver([password_changed, password_reset, password_set])
def password_is_new(user: User, **_: Any) -> None:
    note_account(AuditAction.PASSWORD_CHANGED, user=user)


@receiver(authenticator_added)
def factor_added(user: User, authenticator: Authenticator, **_: Any) -> None:
    note_account(AuditAction.FACTOR_ADDED, user=user, how=authenticator.type)


@receiver([authenticator_removed, authenticator_reset])
def factor_removed(user: User, authenticator: Authenticator, **_: Any) -> None:
    note_account(AuditAction.FACTOR_REMOVED, user=user, how=authenticator.type)
