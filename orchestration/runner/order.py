"""The work order, read once and strictly: what is wrong with it is the platform's fault, not the step's."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

INDEX = "index.json"
LONGEST_PATH = 4096
LONGEST_TRACEPARENT = 55
SHARED = ("home", "root", "var", "tmp", "etc", "proc", "sys", "dev", "run")
"""Folders of everybody's, never shown to a step as a whole."""
CONTAINER = "container"
"""An isolation that is there already: this container, and nobody else is in it."""


class PlatformFault(Exception):
    """The platform's own fault: work order or storage. The message is for the user."""


class Limits:
    def __init__(self, limits: dict[str, Any]) -> None:
        self.wall_s = _number(limits, "wall_s")
        self.memory_bytes = _whole(limits, "memory_bytes")
        self.processes = _whole(limits, "processes")
        self.file_size_bytes = _whole(limits, "file_size_bytes")
        self.output_files = _whole(limits, "output_files")
        self.output_bytes = _whole(limits, "output_bytes")
        self.log_bytes = _whole(limits, "log_bytes")
        self.stop_grace_s = _number(limits, "stop_grace_s")
        self.cancel_grace_s = _number(limits, "cancel_grace_s")
        # What scratch, temporary files and outputs may take together; not in the first protocol.
        self.disk_bytes = _whole(limits, "disk_bytes") if "disk_bytes" in limits else 2 * self.output_bytes


class Source:
    """A file to fetch: the code bundle or an input."""

    def __init__(self, source: dict[str, Any]) -> None:
        self.url = _text(source, "url")
        self.size = _whole(source, "size")
        self.sha256 = _text(source, "sha256").lower()


class Input(Source):
    def __init__(self, source: dict[str, Any]) -> None:
        super().__init__(source)
        self.path = inner_path(_text(source, "path"))
        self.index = _of(source, "index", dict)
        if self.path.split("/")[0] == INDEX:
            raise PlatformFault(f"An input has the name `{INDEX}`, which is taken.")


class Order:
    def __init__(self, order: dict[str, Any]) -> None:
        self.attempt_id = _text(order, "attempt_id")
        self.item = _whole(order, "item")
        self.command = _texts(_of(order, "command", list))
        self.env = _environment(_of(order, "env", dict))
        self.params = _of(order, "params", dict)
        code = order.get("code")
        self.code = None if code is None else Source(_of(order, "code", dict))
        self.inputs = [Input(source) for source in _of(order, "inputs", list)]
        self.failed_items = _of(order, "failed_items", list)
        self.python: str | None = order.get("python")
        self.limits = Limits(_of(order, "limits", dict))
        self.isolation = _text(order, "isolation")
        self.network = order.get("network") is True
        self.heartbeat_s = _number(order, "heartbeat_s")
        self.patience_s = _number(order, "patience_s")
        self.cancel = order.get("cancel") is True
        # Not in the first protocol: where the command lies in the job's trace, if somebody keeps one.
        self.traceparent = _traceparent(order.get("traceparent", ""))
        # Nor this: folders at the top that the step may write to, and programs that it may see.
        self.places = [_top(name) for name in order.get("places", [])]
        self.layers = [_folder(path) for path in order.get("layers", [])]
        if self.isolation not in ("auto", "none", "bubblewrap", CONTAINER):
            raise PlatformFault(f"The work order asks for an unknown isolation, `{self.isolation}`.")


def inner_path(path: str) -> str:
    """The path itself, when it stays inside the folder it is meant for."""
    parts = path.split("/")
    if "\0" in path or len(path) > LONGEST_PATH or any(part in ("", ".", "..") for part in parts):
        raise PlatformFault(f"The work order has the path {path[:200]!r}, which leads out of its folder.")
    return path


def _top(name: Any) -> str:
    if not isinstance(name, str) or "/" in name or "\0" in name or name in ("", ".", ".."):
        raise PlatformFault(f"The work order has the place {str(name)[:200]!r}, which is no folder at the top.")
    return name


def _folder(path: Any) -> str:
    if not isinstance(path, str) or not path.startswith("/") or inner_path(path[1:]) in SHARED:
        raise PlatformFault(f"The work order has the layer {str(path)[:200]!r}, which is no folder of programs.")
    return path


def _traceparent(value: Any) -> str:
    if not isinstance(value, str) or not (value == "" or (value.isascii() and len(value) == LONGEST_TRACEPARENT)):
        raise PlatformFault("The work order has no usable `traceparent`.")
    return value


def _of(order: dict[str, Any], key: str, kind: type[Any]) -> Any:
    value = order.get(key)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise PlatformFault(f"The work order has no usable `{key}`.")
    return value


def _text(order: dict[str, Any], key: str) -> str:
    value: str = _of(order, key, str)
    return value


def _whole(order: dict[str, Any], key: str) -> int:
    value: int = _of(order, key, int)
    if value < 0:
        raise PlatformFault(f"The work order has a negative `{key}`.")
    return value


def _number(order: dict[str, Any], key: str) -> float:
    value = order.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        raise PlatformFault(f"The work order has no usable `{key}`.")
    return float(value)


def _texts(values: list[Any]) -> list[str]:
    if not values or not values[0] or not all(isinstance(value, str) and "\0" not in value for value in values):
        raise PlatformFault("The work order's command is no list of words.")
    return values


def _environment(env: dict[str, Any]) -> dict[str, str]:
    for name, value in env.items():
        if not name or "=" in name or "\0" in name or not isinstance(value, str) or "\0" in value:
            raise PlatformFault("The work order's `env` is no environment.")
    return env
