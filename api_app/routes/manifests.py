"""The signed record of a job, and the keys to check it with."""

import base64
import json
from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request

from api_app.auth import ask
from api_app.database import in_db
from api_app.manifest_schemas import EnvelopeOut, SigningKeyOut, SigningKeysOut
from orchestration.dsse import public_pem
from orchestration.models import SigningKey, User
from orchestration.services.access import find_job
from orchestration.services.manifests import manifest_of, public_keys

router = APIRouter(tags=["manifests"])


@router.get("/jobs/{job_id}/manifest")
async def show_manifest(request: Request, job_id: UUID) -> EnvelopeOut:
    """What the job's last run took, did and left: a DSSE envelope over an in-toto statement."""

    def work(user: User) -> EnvelopeOut:
        made = manifest_of(job=find_job(user=user, job_id=job_id))
        return EnvelopeOut.model_validate(json.loads(made.envelope))

    return await ask(request, work)


@router.get("/signing-keys", openapi_extra={"security": []})
async def list_signing_keys() -> SigningKeysOut:
    """Every key that has signed here, as a JSON Web Key Set, the newest first. Needs no token."""
    return await in_db(lambda: SigningKeysOut(keys=[_out(key) for key in public_keys()]))


def _out(key: SigningKey) -> SigningKeyOut:
    raw = bytes(key.public_key)
    return SigningKeyOut(
        kid=key.pk,
        x=base64.urlsafe_b64encode(raw).rstrip(b"=").decode(),
        pem=public_pem(raw),
        created_at=key.created_at,
        retired_at=key.retired_at,
        revoked_at=key.revoked_at,
        revoked_reason=key.revoked_reason or None,
    )
