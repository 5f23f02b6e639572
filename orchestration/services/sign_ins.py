"""What the audit log tells of people's accounts, wherever they are signed in to or changed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from orchestration.errors import Forbidden
from orchestration.models import User
from orchestration.models.audit import write_audit
from orchestration.states import AuditAction

if TYPE_CHECKING:
    from collections.abc import Iterator


def note_account(action: AuditAction, *, user: User, how: str = "") -> None:
    write_audit(action, by=user, about=user, name=user.username, after={"how": how} if how else None)


def note_failed_sign_in(*, login: str) -> None:
    """Only of an account that is there: what else stands in the field may be somebody's password."""
    field = "email__iexact" if "@" in login else "username__iexact"
    user = User.objects.filter(**{field: login}).first() if login else None
    write_audit(AuditAction.SIGN_IN_FAILED, by=None, about=user, name=user.username if user else "")


@contextmanager
def refusals_noted(*, user: User, what: str) -> Iterator[None]:
    """That somebody was refused what her role, a quota or a budget does not allow; `what` is a method and a path.

    In a transaction of its own: the one that was refused is undone.
    """
    try:
        yield
    except Forbidden as exc:
        write_audit(
            AuditAction.REFUSED, by=user, workspace=user.service_of,
            after={"what": what, "code": exc.code, "why": str(exc)},
        )  # fmt: skip
        raise
