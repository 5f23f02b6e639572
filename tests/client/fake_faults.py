"""What may go wrong between a client and the platform. Each fault says whether it dealt with the request."""

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.client.fake_server import Handler

type Fault = Callable[["Handler"], bool]


def answer(status: int, code: str = "broken", detail: str = "It broke.", **headers: str) -> Fault:
    def fault(handler: "Handler") -> bool:
        handler.problem(status, code, detail, {name.replace("_", "-"): value for name, value in headers.items()})
        return True

    return fault


def hang_up(after_bytes: int = 0) -> Fault:
    """Take some of the body, then close the connection without a word."""

    def fault(handler: "Handler") -> bool:
        handler.rfile.read(after_bytes)
        handler.connection.shutdown(socket.SHUT_RDWR)
        handler.close_connection = True
        return True

    return fault


def lose_answer(handler: "Handler") -> bool:
    """Do it, and let nobody hear of it."""
    handler.is_mute = True
    return False


def send_half(handler: "Handler") -> bool:
    """The first half of a file's content."""
    content = handler.platform.contents[handler.path.split("/")[-2]]
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content[: len(content) // 2])
    handler.wfile.flush()
    return hang_up()(handler)


def send_damaged(handler: "Handler") -> bool:
    content = handler.platform.contents[handler.path.split("/")[-2]]
    handler.reply(200, b"X" + content[1:], handler.digest(content))
    return True
