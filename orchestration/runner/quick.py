"""The parts of the standard library on the hot path, without the packages around them.

json, socket, signal and hashlib cost 11 ms to import, nearly all of it for re and enum, which nothing here
needs; the rest of a no-op run takes less. The C modules below are what those packages stand on. Where an
interpreter has none or others, the packages are used.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    import socket
    from typing import Any
else:
    try:
        import _signal as signal
    except ImportError:
        import signal
    try:
        import _socket as socket
    except ImportError:
        import socket

__all__ = ["dumps", "loads", "sha256", "signal", "socket"]

# OpenSSL hashes four times as fast as the built-in code, and takes 3 ms to load.
WORTH_OPENSSL = 1 << 20


class _Rules:
    """What the C scanner asks its decoder for."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    array_hook = None
    parse_float = float
    parse_int = int
    memo: dict[str, str]

    @staticmethod
    def parse_constant(name: str) -> float:
        raise ValueError(f"{name} is not JSON")


def _refuse(value: object) -> str:
    raise TypeError(f"{type(value).__name__} has no place in JSON")


def _c_codec() -> tuple[Any, Any]:
    import _json  # noqa: PLC0415

    rules: Any = _Rules()
    rules.memo = {}
    scan: Any = _json.make_scanner(rules)
    escape: Any = _json.encode_basestring_ascii
    encode: Any = _json.make_encoder(None, _refuse, escape, None, ": ", ", ", False, False, False)
    if scan('[1, {"a": null}]', 0) != ([1, {"a": None}], 16) or "".join(encode([1.5, {"é": True}], 0)) != (
        '[1.5, {"\\u00e9": true}]'
    ):
        raise ImportError("_json speaks another dialect")
    return scan, encode


try:
    _scan, _encode = _c_codec()
except (ImportError, AttributeError, TypeError, ValueError):
    _scan = _encode = None


def loads(data: bytes) -> Any:
    """The value of one JSON document; ValueError for everything else."""
    text = data.decode("utf-8").strip(" \t\r\n")
    if _scan is None:
        import json  # noqa: PLC0415

        return json.loads(text, parse_constant=_Rules.parse_constant)
    try:
        value, end = _scan(text, 0)
    except (StopIteration, RecursionError) as wrong:
        raise ValueError("not a JSON document") from wrong
    if end != len(text):
        raise ValueError("more than one JSON document")
    return value


def dumps(value: Any) -> bytes:
    if _encode is None:
        import json  # noqa: PLC0415

        return json.dumps(value, allow_nan=False).encode()
    return "".join(_encode(value, 0)).encode()


def sha256(expected_bytes: int) -> Any:
    """A SHA-256 hash object fit for about so many bytes."""
    if expected_bytes < WORTH_OPENSSL:
        for name in ("_sha2", "_sha256"):
            try:
                return __import__(name).sha256()
            except ImportError:
                continue
    import hashlib  # noqa: PLC0415

    return hashlib.sha256()
