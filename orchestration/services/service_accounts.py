"""Service accounts: users of one workspace that are programs. They cannot sign in; managers make and end them."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any, Final

from django.db import IntegrityError, transaction

from orchestration.errors import Conflict, Forbidden, Invalid, NotFound
from orchestration.models import Membership, User, Workspace
from orchestration.models.audit import write_audit
from orchestration.services.access import find_workspace
from orchestration.states import AuditAction, MailOn, Role

if TYPE_CHECKING:
    from uuid import UUID

log = logging.getLogger(__name__)

MOST_OF_A_WORKSPACE: Final = 50
NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")


def create_service_account(*, user: User, name: str, workspace: str = "", role: str = Role.SUBMITTER) -> User:
    """Raises Invalid, Conflict, Forbidden, NotFound."""
    here = _managed(user, workspace)
    if not NAME.fullmatch(name):
        raise Invalid("A service account's name has 1 to 40 of a-z, 0-9 and -, and begins and ends with none of -.")
    account = User(username=f"{name}@{here.slug}", service_of=here, mail_on=MailOn.NEVER)
    account.set_unusable_password()
    try:
        with transaction.atomic(durable=True):
            # Two managers at once would each see room for one more.
            Workspace.objects.select_for_update(no_key=True).get(pk=here.pk)
            if here.service_accounts.count() >= MOST_OF_A_WORKSPACE:
                raise Conflict(f"A workspace has at most {MOST_OF_A_WORKSPACE} service accounts.")
            account.save(force_insert=True)
            Membership.objects.create(workspace=here, user=account, role=_known(role))
            _audit(AuditAction.ACCOUNT_CREATED, user, account, after={"role": role})
    except IntegrityError as exc:
        raise Conflict(f"There is a user {account.username} already. Choose another name.") from exc
    _note("created", user, account, role=role)
    account.refresh_from_db()
    return account


def list_service_accounts(*, user: User, workspace: str = "") -> list[User]:
    here = _managed(user, workspace)
    return list(User.objects.filter(service_of=here).select_related("service_of").order_by("username"))


def find_service_account(*, user: User, account_id: UUID) -> User:
    """For its managers; to anybody else it is as good as missing."""
    managed = Workspace.objects.managed_by(user) if user.service_of_id is None else Workspace.objects.none()
    rows = User.objects.filter(service_of__in=managed).select_related("service_of")
    found = rows.filter(pk=account_id).first()
    if found is None:
        raise NotFound("There is no such service account that you may manage.")
    return found


def edit_service_account(*, user: User, account: User, role: str | None = None, enabled: bool | None = None) -> User:
    """What is None stays. Disabled, all its tokens are refused from now on, and work again when it is enabled."""
    with transaction.atomic(durable=True):
        if role is not None:
            Membership.objects.update_or_create(
                workspace=account.service_of, user=account, defaults={"role": _known(role)}
            )
        if enabled is not None:
            User.objects.filter(pk=account.pk).update(is_active=enabled)
        said = {"role": role, "enabled": enabled}
        after = {key: value for key, value in said.items() if value is not None}
        _audit(AuditAction.ACCOUNT_CHANGED, user, account, after=after)
    _note("changed", user, account, role=role, enabled=enabled)
    account.refresh_from_db()
    return account


def _managed(user: User, slug: str) -> Workspace:
    if user.service_of_id is not None:
        # Accounts that one made before it was disabled would live on.
        raise Forbidden("A service account cannot manage service accounts. Ask a person who manages the workspace.")
    return find_workspace(user=user, slug=slug, role=Role.MANAGER)


def _known(role: str) -> Role:
    try:
        return Role(role)
    except ValueError as exc:
        raise Invalid(f"There is no role {role}; there are {', '.join(Role)}.") from exc


def _audit(action: AuditAction, user: User, account: User, **said: Any) -> None:
    write_audit(action, by=user, workspace=account.service_of, about=account, name=account.username, **said)


def _note(what: str, user: User, account: User, **more: object) -> None:
    log.info("service account %s", what, extra={"user_id": str(user.pk), "account_id": str(account.pk), **more})
