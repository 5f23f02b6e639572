"""Who is in a workspace, and as what."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from django.db import transaction

from orchestration.models import Membership, Workspace
from orchestration.states import Role

if TYPE_CHECKING:
    from orchestration.models import User

log = logging.getLogger(__name__)


@transaction.atomic
def join_by_rule(*, user: User, workspace: str, role: str) -> bool:
    """Of somebody new, by a setting of the platform. False: there is no such workspace, and she is in none."""
    here = Workspace.objects.filter(slug=workspace).first()
    if here is None:
        log.warning("no such workspace to join", extra={"user_id": str(user.pk), "workspace": workspace})
        return False
    Membership.objects.get_or_create(workspace=here, user=user, defaults={"role": Role(role)})
    log.info("joined by rule", extra={"user_id": str(user.pk), "workspace": workspace, "role": role})
    return True
