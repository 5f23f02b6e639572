"""Who sends files: a token's user, or a page of ours with a ticket, which holds for one workspace."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Concatenate

from api_app.auth import identify, scope_of
from api_app.database import in_db, in_files
from api_app.gate import credential
from api_app.rates.known import known
from orchestration.errors import NotFound
from orchestration.services.tickets import read_ticket
from orchestration.services.uploads.lookups import find_upload, list_uploads

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from starlette.requests import Request

    from api_app.gate import Credential
    from orchestration.models import Upload, User
    from orchestration.models.upload import UploadQuerySet


@dataclass(frozen=True, slots=True)
class Sender:
    """`only` is the slug of the one workspace that a ticket is for; "" for a token."""

    user: User
    only: str

    def place(self, workspace: str) -> str:
        """The workspace that is meant. Raises NotFound for another than the ticket's."""
        if self.only and workspace not in {"", self.only}:
            raise NotFound("This upload ticket is for another workspace.")
        return self.only or workspace

    def find(self, upload_id: UUID) -> Upload:
        upload = find_upload(user=self.user, upload_id=upload_id)
        if self.only:
            self.place(upload.workspace.slug)
        return upload

    def uploads(self, workspace: str, state: str, fingerprint: str) -> UploadQuerySet:
        place = self.place(workspace)
        return list_uploads(user=self.user, workspace=place, state=state, fingerprint=fingerprint)


def sender(given: Credential, scope: str) -> Sender:
    """Runs in a database thread."""
    if given.scheme == "ticket":
        user, workspace = read_ticket(given.secret)
        known.learn("ticket", given.secret, user, workspace)
        return Sender(user, workspace)
    return Sender(identify(given, scope).user, "")


async def ask_sender[**P, T](
    request: Request, work: Callable[Concatenate[Sender, P], T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """As `ask`, for those who may come with a ticket."""
    return await in_db(partial(_as_sender, request, work, *args, **kwargs))


async def ask_sender_at_length[**P, T](
    request: Request, work: Callable[Concatenate[Sender, P], T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """For what waits on the disk: the threads that answer everybody go on meanwhile."""
    return await in_files(partial(_as_sender, request, work, *args, **kwargs))


def _as_sender[**P, T](
    request: Request, work: Callable[Concatenate[Sender, P], T], *args: P.args, **kwargs: P.kwargs
) -> T:
    return work(sender(credential(request), scope_of(request)), *args, **kwargs)
