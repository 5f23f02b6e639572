"""Through the operator's egress proxy to a receiver: CONNECT to the address that was judged, not to its name."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import httpcore

if TYPE_CHECKING:
    from orchestration.webhooks.address import Address


def tunnel(proxy: httpcore.NetworkStream, address: Address, port: int) -> httpcore.NetworkStream:
    """`proxy` is a connection to it. Raises ConnectError where it will not."""
    target = f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"  # noqa: PLR2004  IPv6
    url = httpcore.URL(scheme="http", host="proxy", port=None, target=target)
    connection = httpcore.HTTP11Connection(origin=url.origin, stream=proxy)
    response = connection.handle_request(httpcore.Request("CONNECT", url, headers={"Host": target}))
    if not HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES:
        connection.close()
        raise httpcore.ConnectError(f"the egress proxy answered {response.status} for {target}")
    stream: httpcore.NetworkStream = response.extensions["network_stream"]
    return stream
