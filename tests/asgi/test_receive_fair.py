"""Four threads take bodies off the socket: nobody has one for himself, however cunningly he sends."""

from __future__ import annotations

import contextlib
import socket

import pytest

from project.receive.pour import QUICK, TURN, Pour


@pytest.mark.timeout(20)
def test_sender_who_always_has_one_more_byte_loses_his_turn() -> None:
    """After a quick start each byte is worth waiting for, but not as long as another one keeps coming."""
    here, there = socket.socketpair()
    with here, there:
        here.setblocking(True)
        written: list[int] = []

        def write(piece: memoryview) -> None:
            written.append(len(piece))
            here.sendall(b"x")

        here.sendall(bytes(1 << 15))
        with contextlib.closing(Pour(there.fileno(), TURN, write)) as pour:
            came = pour.turn()
        assert came == sum(written) == TURN - pour.left
        assert came < QUICK
