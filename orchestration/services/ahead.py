"""What a call will ask for, read in one statement before it begins. Who may do what is decided where it always is."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from orchestration.models.joined import Ask, Joined
from orchestration.models.ready import kind_of
from orchestration.services.access import NAMED_PLACE, OLDEST_PLACE
from orchestration.services.fitting import FILES_IN
from orchestration.services.pipelines import NAMED_PIPELINE
from orchestration.services.token_format import public_part
from orchestration.services.tokens import VALID_TOKEN
from orchestration.services.whole import visible_whole

if TYPE_CHECKING:
    from uuid import UUID

    from orchestration.models import User
    from orchestration.models.joined import Asked
    from orchestration.models.ready import Kind, Ready
    from orchestration.services.jobs import Request

MOST_FILES: Final = 20
"""The other rows come with each of them."""
MOST_KINDS: Final = 10_000
_USUAL: Final[Kind] = (False, True)
_kinds: Final[dict[str, Kind]] = {}


def _submit(place: Ready[Any]) -> Joined:
    return Joined(
        Ask(VALID_TOKEN),
        Ask(place, has_user=True),
        Ask(NAMED_PIPELINE, has_user=True),
        Ask(FILES_IN, found={"workspace": (1, "id")}),
        user="user_id",
        bound="workspace_id",
    )


_IN_OLDEST: Final = _submit(OLDEST_PLACE)
_IN_NAMED: Final = _submit(NAMED_PLACE)


def ahead_of_submit(token: str, request: Request) -> Asked | None:
    """The token's row and user, the workspace, the pipeline and the files. None: it is not worth it."""
    if len(request.inputs) > MOST_FILES:
        return None
    public_id = public_part(token)
    joined, place = (_IN_NAMED, {"slug": request.workspace}) if request.workspace else (_IN_OLDEST, {})
    name = request.pipeline.partition("@")[0]
    values = ({"public_id": public_id}, place, {"name": name}, {"ids": list(request.inputs)})
    return joined.asked(_kinds.get(public_id, _USUAL), *values)


@cache
def _show(parts: frozenset[str]) -> Joined:
    return Joined(Ask(VALID_TOKEN), Ask(visible_whole(parts), has_user=True), user="user_id", bound="workspace_id")


def ahead_of_show(token: str, job_id: UUID, parts: frozenset[str]) -> Asked:
    """The token's row and user, and the job with `parts`."""
    public_id = public_part(token)
    return _show(parts).asked(_kinds.get(public_id, _USUAL), {"public_id": public_id}, {"job_id": job_id})


def learn_kind(token: str, user: User) -> None:
    """Most are like the last time; whoever is not is asked about as ever."""
    if (kind := kind_of(user)) != _kinds.get(public_part(token), _USUAL):
        if len(_kinds) > MOST_KINDS:
            _kinds.clear()
        _kinds[public_part(token)] = kind
