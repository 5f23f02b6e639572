"""Upload tickets: what a signed-in page shows the upload route instead of a token. Short-lived, for that only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.core import signing

from orchestration.errors import Forbidden
from orchestration.models import User

if TYPE_CHECKING:
    from orchestration.models import Workspace

SALT: Final = "esteira.upload"
MAX_AGE_S: Final = 12 * 3600


def issue_ticket(user: User, workspace: Workspace) -> str:
    return signing.dumps({"user": str(user.pk), "workspace": workspace.slug}, salt=SALT)


def read_ticket(ticket: str) -> tuple[User, str]:
    """The user, who may still sign in, and the workspace's slug. The role there is for the service to check."""
    try:
        said = signing.loads(ticket, salt=SALT, max_age=MAX_AGE_S)
    except signing.SignatureExpired as exc:
        raise Forbidden("This page has been open for too long. Load it again, then send the file again.") from exc
    except signing.BadSignature as exc:
        raise Forbidden("This upload ticket is not valid. Load the page again.") from exc
    user = User.objects.filter(pk=said["user"], is_active=True).first()
    if user is None:
        raise Forbidden("Your account may no longer upload files.")
    return user, said["workspace"]
