"""What a container that was started somewhere shows to get its work: a signed right to the items of one step.

The same right has the same bytes whenever it is made: a start that is repeated must be given what the first was.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal
from uuid import UUID

from django.core import signing
from django.utils import timezone

from orchestration.errors import Forbidden

if TYPE_CHECKING:
    from orchestration.models import Job

LASTS: Final = timedelta(days=8)
VARIABLE: Final = "ESTEIRA_STEP_TOKEN"
_SALT: Final = "esteira.step"
type Place = Literal["", "spot", "rest"]
SPOT: Final = "spot"
REST: Final = "rest"


@dataclass(frozen=True, slots=True)
class StepRight:
    """To claim the items of this step in this run, `per_child` of them for each child of an array.

    `place`: on a spot machine, what is left is for others to do; one for the rest takes any item that is left.
    """

    job_id: UUID
    run: int
    step: str
    per_child: int
    expires_at: datetime
    place: Place = ""

    @property
    def is_for_the_rest(self) -> bool:
        return self.place == REST

    @classmethod
    def of(cls, job: Job, step: str, *, per_child: int = 1, lasts: timedelta = LASTS, place: Place = "") -> StepRight:
        """Until `lasts` after the job was queued for this run: a time that the rows know."""
        if job.queued_at is None:
            raise ValueError(f"job {job.pk} is not queued")
        return cls(job.pk, job.run, step, per_child, (job.queued_at + lasts).replace(microsecond=0), place)


def issue_step_token(right: StepRight) -> str:
    expires = int(right.expires_at.timestamp())
    # Not signing.dumps, which adds the time of day.
    said = [right.job_id.hex, right.run, right.step, right.per_child, expires]
    return _signer().sign_object([*said, right.place] if right.place else said)


def read_step_token(token: str) -> StepRight:
    """Raises Forbidden for a forged, foreign or expired token."""
    try:
        job_id, run, step, per_child, expires, *place = _signer().unsign_object(token)
    except signing.BadSignature as exc:
        raise Forbidden("This token is not valid here.") from exc
    right = StepRight(UUID(hex=job_id), run, step, per_child, datetime.fromtimestamp(expires, UTC), *place)
    if right.expires_at <= timezone.now():
        raise Forbidden("This token has expired.")
    return right


def _signer() -> signing.Signer:
    return signing.Signer(salt=_SALT)
