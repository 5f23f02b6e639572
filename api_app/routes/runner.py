"""The runner protocol (docs/design/0001, section 4). The token names the attempt, so no path does."""

import json
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from api_app.database import in_db
from api_app.gate import credential
from api_app.runner_schemas import (
    ClaimIn,
    ClaimOut,
    FinishIn,
    HeartbeatIn,
    HeartbeatOut,
    LogOut,
    SlotOut,
    SlotsIn,
    SlotsOut,
    StartIn,
)
from orchestration.services import claims, runner
from orchestration.services.work_orders import work_order

router = APIRouter(prefix="/api/runner/v1", tags=["runner"])


def _holder(request: Request) -> runner.Holder:
    return runner.read_token(credential(request).secret)


@router.post("/claim")
async def claim(request: Request, body: ClaimIn) -> ClaimOut:
    """By the token of a step, not of an attempt: the next attempt for a container that was started without one."""
    right = claims.read_step_token(credential(request).secret)
    container = claims.Container(body.batch_job, body.batch_attempt, body.child)
    given = await in_db(claims.claim, right=right, container=container, done=body.done)
    return ClaimOut(token=given.token or None, done=given.done, end=given.end, detail=given.detail)


@router.post("/start", response_class=Response)
async def start(request: Request, body: StartIn) -> Response:  # noqa: ARG001  the form is checked, nothing of it is kept
    """The work order."""
    return Response(await in_db(_start, _holder(request)), media_type="application/json")


def _start(holder: runner.Holder) -> bytes:
    return json.dumps(work_order(runner.begin(holder=holder))).encode()


@router.post("/heartbeat")
async def heartbeat(request: Request, body: HeartbeatIn) -> HeartbeatOut:
    """Keeps the attempt's lease. The answer says whether the step is to stop."""
    cancel = await in_db(runner.heartbeat, holder=_holder(request), progress=body.progress, message=body.message)
    return HeartbeatOut(cancel=cancel)


@router.post("/log")
async def append_log(request: Request, offset: Annotated[int, Query(ge=0, le=1 << 40)]) -> LogOut:
    """The body is appended at `offset`, where the log ended by the answer before. Sent again it does no harm."""
    data = await request.body()
    return LogOut(end=await in_db(runner.append_log, holder=_holder(request), offset=offset, data=data))


@router.post("/outputs")
async def outputs(request: Request, body: SlotsIn) -> SlotsOut:
    """Where to send each output, bound to its size and SHA-256."""
    files = [(file.size, file.sha256) for file in body.files]
    slots = await in_db(runner.output_slots, holder=_holder(request), files=files, first=body.first)
    return SlotsOut(
        slots=[
            SlotOut(path=file.path, url=slot.url, method=slot.method, headers=slot.headers)
            for file, slot in zip(body.files, slots, strict=True)
        ]
    )


@router.post("/finish")
async def finish(request: Request, body: FinishIn) -> dict[str, str]:
    """How the attempt ended, and which of its outputs are sent. Said again, it changes nothing."""
    await in_db(runner.finish, holder=_holder(request), **body.model_dump(exclude={"signal"}))
    return {}
