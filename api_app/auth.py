"""Who is calling, and whether the token's scope covers the route."""

from __future__ import annotations

from typing import TYPE_CHECKING, Concatenate, Final

from api_app.database import in_db, in_files
from api_app.errors import NotAuthenticated
from api_app.gate import credential
from api_app.rates.known import known
from orchestration.errors import Forbidden
from orchestration.services.ahead import learn_kind
from orchestration.services.tokens import authenticate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from starlette.requests import Request

    from api_app.gate import Credential
    from orchestration.models import ApiToken, User
    from orchestration.models.joined import Asked

# Route function → the scope its token needs. A route that is missing here cannot be called, and a test says so.
# With `create_token` (beside HTTP Basic) and other people's work there is no route that skips this table.
SCOPE: Final[dict[str, str]] = {
    "show_me": "read",
    "create_token": "admin",
    "list_tokens": "read",
    "revoke_token": "read",  # a token may always end itself; others need `admin`
    "rotate_token": "read",  # the same
    "create_service_account": "admin",
    "list_service_accounts": "admin",
    "edit_service_account": "admin",
    "create_service_token": "admin",
    "list_service_tokens": "admin",
    "list_members": "admin",
    "edit_member": "admin",
    "remove_member": "admin",
    "leave_workspace": "admin",
    "list_invitations": "admin",
    "create_invitation": "admin",
    "revoke_invitation": "admin",
    "list_notifications": "read",
    "edit_notification": "read",  # that one has read one's own is all that it says
    "read_notifications": "read",  # the same
    "show_notification_settings": "read",
    "edit_notification_settings": "admin",
    "show_upload_config": "upload",
    "create_upload_or_file": "upload",
    "create_upload_batch": "upload",
    "list_uploads": "upload",
    "show_upload": "upload",
    "sign_upload_parts": "upload",
    "sign_upload_batch": "upload",
    "complete_upload": "upload",
    "complete_upload_batch": "upload",
    "abort_upload": "upload",
    "put_file": "upload",
    "list_files": "read",
    "show_file": "read",
    "download_file": "read",
    "download_files": "read",
    "delete_file": "upload",
    "undelete_file": "upload",
    "extend_file": "upload",
    "hold_file": "admin",
    "unhold_file": "admin",
    "show_receipt": "read",
    "show_usage": "read",
    "list_pipelines": "read",
    "show_pipeline": "read",
    "submit_job": "run",
    "submit_jobs": "run",
    "list_jobs": "read",
    "show_job": "read",
    "edit_job": "run",
    "cancel_job": "run",
    "retry_job": "run",
    "resubmit_job": "run",
    "rerun_items": "run",
    "preview_bulk": "read",
    "begin_bulk": "run",
    "list_bulk": "read",
    "show_bulk": "read",
    "list_bulk_items": "read",
    "cancel_bulk": "run",
    "list_events": "read",
    "list_workspace_events": "read",
    "create_live_ticket": "read",
    "list_attempts": "read",
    "list_results": "read",
    "download_results": "read",
    "show_manifest": "read",
    "create_share": "run",
    "list_shares": "read",
    "revoke_share": "run",
    "read_log": "read",
    # An address is often a secret itself.
    "create_webhook": "admin",
    "list_webhooks": "admin",
    "show_webhook": "admin",
    "edit_webhook": "admin",
    "delete_webhook": "admin",
    "rotate_webhook_secret": "admin",
    "test_webhook": "admin",
    "list_deliveries": "admin",
    "show_delivery": "admin",
    "replay_delivery": "admin",
    "replay_missed_deliveries": "admin",
    "show_openapi": "read",
    "show_wes_service": "read",
    "list_runs": "read",
    "begin_run": "run",  # and `upload` for what is attached
    "show_run": "read",
    "show_run_status": "read",
    "cancel_run": "run",
    "list_run_tasks": "read",
    "show_run_task": "read",
    "show_tes_service": "read",
    "create_task": "run",
    "list_tasks": "read",
    "show_task": "read",
    "cancel_task": "run",
}

# What anybody may ask, without a token: who was given results need not be known here, nor who found a token.
OPEN: Final = frozenset({"list_signing_keys", "revoke_leaked_token"})


def scope_of(request: Request) -> str:
    return SCOPE[request.scope["endpoint"].__name__]


def identify(given: Credential, scope: str) -> ApiToken:
    """The token's row with its user. Runs in a database thread."""
    token = authenticate(token=given.secret, address=given.address)
    if token is not None:
        known.learn("bearer", given.secret, token.user)
    return admit(token, scope)


def admit(token: ApiToken | None, scope: str) -> ApiToken:
    """Raises NotAuthenticated, Forbidden."""
    if token is None:
        raise NotAuthenticated
    if scope not in token.scopes:
        raise Forbidden(f"This token does not have the scope `{scope}`; it has: {', '.join(token.scopes) or 'none'}.")
    return token


def beyond(token: ApiToken, scopes: Iterable[str]) -> None:
    if more := set(scopes) - set(token.scopes):
        raise Forbidden(f"A token cannot make one that may do more: {', '.join(sorted(more))}.")


async def ask[**P, T](
    request: Request, work: Callable[Concatenate[User, P], T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Check the token and do the work for its user, in one trip to a database thread."""
    return await ask_as_token(request, lambda token: work(token.user, *args, **kwargs))


async def ask_as_token[T](request: Request, work: Callable[[ApiToken], T]) -> T:
    """As `ask`, for those who have to know with which token somebody came."""
    given, scope = credential(request), scope_of(request)
    return await in_db(lambda: work(identify(given, scope)))


async def ask_ahead[**P, T](
    request: Request,
    ahead: Callable[[str], Asked],
    work: Callable[Concatenate[User, P], T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """As `ask`; of a token, `ahead` reads the rows that this and the work will look at."""
    given, scope = credential(request), scope_of(request)

    def at_once() -> T:
        with ahead(given.secret).ahead():
            user = identify(given, scope).user
            learn_kind(given.secret, user)
            return work(user, *args, **kwargs)

    return await in_db(at_once)


async def ask_at_length[**P, T](
    request: Request, work: Callable[Concatenate[User, P], T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """For what waits on the disk: the threads that answer everybody go on meanwhile."""
    given, scope = credential(request), scope_of(request)
    return await in_files(lambda: work(identify(given, scope).user, *args, **kwargs))
