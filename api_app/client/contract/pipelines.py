"""Calls of the contract: pipelines. Written by `make clients` from docs/openapi.json; changes here are lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api_app.client.calls import Call, Listing, segment

if TYPE_CHECKING:
    from api_app.client.contract import shapes


def list_pipelines(*, limit: int | None = None, cursor: str | None = None) -> Listing[shapes.Pipeline]:
    """In their newest version."""
    return Listing("GET", "/pipelines", query={"limit": limit, "cursor": cursor})


def show_pipeline(name: str) -> Call[shapes.Pipeline]:
    """`inspect` is its newest version, `inspect@1.0.0` that one."""
    return Call("GET", f"/pipelines/{segment(name)}")
