"""SigV4, checked: in the query (presigned) and in the Authorization header."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

from tests.s3_double.errors import Refused

if TYPE_CHECKING:
    from tests.s3_double.requests import Request

ALGORITHM: Final = "AWS4-HMAC-SHA256"
WEEK_S: Final = 7 * 86_400
SKEW_S: Final = 15 * 60
UNSIGNED: Final = "UNSIGNED-PAYLOAD"


@dataclass(frozen=True, slots=True)
class Credentials:
    access_key: str
    secret_key: str
    region: str
    token: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request says about its own signature."""

    credential: str
    signed_headers: tuple[str, ...]
    signature: str
    timestamp: str
    token: str
    payload: str


def check(request: Request, credentials: Credentials, now: float) -> None:
    if request.param("X-Amz-Algorithm") or request.param("X-Amz-Signature"):
        claim = _presigned(request, now)
    elif request.header("authorization"):
        claim = _in_header(request, now)
    else:
        raise Refused("AccessDenied", "Access Denied")
    scope = _scope(claim, credentials)
    _all_are_signed(request, claim)
    expected = _signature(request, claim, credentials, scope)
    if not hmac.compare_digest(expected, claim.signature):
        raise Refused(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided.",
            CanonicalRequest=_canonical(request, claim),
        )


def _presigned(request: Request, now: float) -> Claim:
    names = ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature")
    given = {name: request.param(f"X-Amz-{name}") for name in names}
    if not all(given.values()) or given["Algorithm"] != ALGORITHM or request.header("authorization"):
        raise Refused(
            "AuthorizationQueryParametersError", f"Query-string authentication needs each of {names} and nothing else"
        )
    if not given["Expires"].isdecimal() or int(given["Expires"]) > WEEK_S:
        raise Refused("AuthorizationQueryParametersError", "X-Amz-Expires must be less than a week (in seconds)")
    signed_at = _moment(given["Date"])
    if signed_at > now + SKEW_S:
        raise Refused("AccessDenied", "Request is not valid yet")
    if now > signed_at + int(given["Expires"]):
        raise Refused("AccessDenied", "Request has expired", Expires=given["Expires"])
    return Claim(
        credential=given["Credential"],
        signed_headers=tuple(given["SignedHeaders"].split(";")),
        signature=given["Signature"],
        timestamp=given["Date"],
        token=request.param("X-Amz-Security-Token"),
        payload=request.header("x-amz-content-sha256") or UNSIGNED,
    )


def _in_header(request: Request, now: float) -> Claim:
    form = rf"{ALGORITHM} Credential=(\S+?), ?SignedHeaders=(\S+?), ?Signature=([0-9a-f]+)"
    found = re.fullmatch(form, request.header("authorization"))
    timestamp = request.header("x-amz-date")
    if found is None or not timestamp:
        raise Refused("AuthorizationHeaderMalformed", "The authorization header is malformed.")
    if not request.header("x-amz-content-sha256"):
        raise Refused("InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
    if abs(_moment(timestamp) - now) > SKEW_S:
        raise Refused(
            "RequestTimeTooSkewed", "The difference between the request time and the server's time is too large."
        )
    return Claim(
        credential=found[1],
        signed_headers=tuple(found[2].split(";")),
        signature=found[3],
        timestamp=timestamp,
        token=request.header("x-amz-security-token"),
        payload=request.header("x-amz-content-sha256"),
    )


def _moment(timestamp: str) -> float:
    try:
        return datetime.strptime(timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise Refused("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header") from None


def _scope(claim: Claim, credentials: Credentials) -> str:
    access_key, _, scope = claim.credential.partition("/")
    if access_key != credentials.access_key:
        raise Refused("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
    if claim.token != credentials.token:
        raise Refused("InvalidToken", "The provided token is malformed or otherwise invalid.")
    right = f"{claim.timestamp[:8]}/{credentials.region}/s3/aws4_request"
    if scope != right:
        raise Refused("AuthorizationHeaderMalformed", f"The credential scope is {scope}; expecting {right}.")
    return scope


def _all_are_signed(request: Request, claim: Claim) -> None:
    """Else somebody with a URL could add an ACL, a storage class or an encryption of their own."""
    if "host" not in claim.signed_headers:
        raise Refused("AccessDenied", "The host header must be signed", HeadersNotSigned="host")
    loose = [name for name in request.headers if name.startswith("x-amz-") and name not in claim.signed_headers]
    if loose:
        raise Refused(
            "AccessDenied",
            "There were headers present in the request which were not signed",
            HeadersNotSigned=", ".join(loose),
        )


def _canonical(request: Request, claim: Claim) -> str:
    pairs = [(quote(n, safe="-_.~"), quote(v, safe="-_.~")) for n, v in request.query if n != "X-Amz-Signature"]
    # A signed header that is not there has the empty value, which no signer signed.
    headers = [f"{name}:{' '.join(request.header(name).split())}\n" for name in claim.signed_headers]
    return "\n".join(
        [
            request.method,
            quote(unquote(request.raw_path), safe="/-_.~"),
            "&".join(f"{name}={value}" for name, value in sorted(pairs)),
            "".join(headers),
            ";".join(claim.signed_headers),
            claim.payload,
        ]
    )


def _signature(request: Request, claim: Claim, credentials: Credentials, scope: str) -> str:
    digest = hashlib.sha256(_canonical(request, claim).encode()).hexdigest()
    key = f"AWS4{credentials.secret_key}".encode()
    for step in scope.split("/"):
        key = hmac.digest(key, step.encode(), "sha256")
    return hmac.digest(key, f"{ALGORITHM}\n{claim.timestamp}\n{scope}\n{digest}".encode(), "sha256").hex()
