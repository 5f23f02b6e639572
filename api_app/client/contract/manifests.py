"""Calls of the contract: manifests. Written by `make clients` from docs/openapi.json; changes here are lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api_app.client.calls import Call, segment

if TYPE_CHECKING:
    from api_app.client.contract import shapes


def list_signing_keys() -> Call[shapes.SigningKeys]:
    """Every key that has signed here, as a JSON Web Key Set, the newest first. Needs no token."""
    return Call("GET", "/signing-keys")


def show_manifest(job_id: str) -> Call[shapes.Envelope]:
    """What the job's last run took, did and left: a DSSE envelope over an in-toto statement."""
    return Call("GET", f"/jobs/{segment(job_id)}/manifest")
