"""Bodies of multipart/form-data that are attacks on whoever parses them. Kept as a regression (SEC-060, F35)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

B: Final = "b0undary"
MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Attack:
    name: str
    body: Callable[[], bytes]
    content_type: str = f"multipart/form-data; boundary={B}"


def part(name: str, data: bytes = b"", *, file: str = "", more: str = "", boundary: str = B) -> bytes:
    filename = f'; filename="{file}"' if file else ""
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{filename}\r\n{more}\r\n'
    return head.encode() + data + b"\r\n"


def ended(*parts: bytes, boundary: str = B) -> bytes:
    return b"".join(parts) + f"--{boundary}--\r\n".encode()


def _base64_of_spaces() -> bytes:
    return ended(part("f", b" " * (8 * MIB), file="a", more="Content-Transfer-Encoding: base64\r\n"))


def _base64_in_crumbs() -> bytes:
    return ended(part("f", b"QQ==\r\n " * MIB, file="a", more="Content-Transfer-Encoding: base64\r\n"))


ATTACKS: Final = (
    Attack("part header of 8 MB", lambda: ended(part("x" * (8 * MIB)))),
    Attack(
        "part header of 8 MB that never ends", lambda: f"--{B}\r\nContent-Disposition: ".encode() + b"x" * (8 * MIB)
    ),
    Attack("20,000 headers in a part", lambda: ended(part("a", more="X-A: b\r\n" * 20_000))),
    Attack("20,000 parameters in a header", lambda: ended(part("a", more="X-A: b" + "; c=d" * 20_000 + "\r\n"))),
    Attack("5,000 files", lambda: ended(*[part(f"f{n}", b"x", file="a") for n in range(5_000)])),
    Attack("100,000 fields", lambda: ended(*[part(f"f{n}") for n in range(100_000)])),
    Attack(
        "boundary of 1 MB", lambda: ended(part("a"), boundary="b" * MIB), f"multipart/form-data; boundary={'b' * MIB}"
    ),
    Attack(
        "boundary of 60 KB",
        lambda: ended(part("a"), boundary="b" * 60_000),
        f"multipart/form-data; boundary={'b' * 60_000}",
    ),
    Attack("no boundary", lambda: ended(part("a")), "multipart/form-data"),
    Attack("empty boundary", lambda: ended(part("a")), "multipart/form-data; boundary="),
    Attack("boundary that is not ASCII", lambda: ended(part("a")), "multipart/form-data; boundary=é"),
    Attack("body that is all boundary", lambda: f"--{B}\r\n".encode() * (MIB // 12)),
    Attack("body that is nearly all boundary", lambda: f"\r\n--{B[:-1]}".encode() * (MIB // 2)),
    Attack("8 MB of line ends", lambda: ended(part("a", b"\r\n" * (4 * MIB), file="a"))),
    Attack("8 MB of carriage returns", lambda: ended(part("a", b"\r" * (8 * MIB), file="a"))),
    Attack("base64 that is white space", _base64_of_spaces),
    Attack("base64 in crumbs", _base64_in_crumbs),
    Attack("no end", lambda: part("a", b"x" * MIB, file="a")),
    Attack("nothing", lambda: b""),
    Attack(
        "half a surrogate as a charset",
        lambda: ended(part("a", b"\xed\xa0\x80", more="Content-Type: text/plain; charset=utf-16\r\n")),
    ),
    Attack(
        "charset that nobody knows", lambda: ended(part("a", b"x", more="Content-Type: text/plain; charset=nobody\r\n"))
    ),
    Attack("file name that climbs", lambda: ended(part("f", b"x", file="../../../etc/passwd"))),
    Attack("a form of 8 MB in one field", lambda: ended(part("a", b"x" * (8 * MIB)))),
)
