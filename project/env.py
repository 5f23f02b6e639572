"""Typed readers of the environment. A bad value stops the process with a sentence.

Every reader also accepts NAME_FILE: the path of a file that holds the value, for mounted secrets.
"""

import os
import re
from pathlib import Path


class BadSetting(SystemExit):
    """Ends the process with exit code 1 and the sentence on stderr."""

    def __init__(self, name: str, read: str, allowed: str) -> None:
        super().__init__(f"{name} is {read!r}; allowed: {allowed}.")


def text(name: str, default: str = "") -> str:
    if file := os.environ.get(f"{name}_FILE"):
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except OSError as exc:
            raise BadSetting(f"{name}_FILE", file, f"the path of a readable file ({exc.strerror})") from exc
    return os.environ.get(name, default)


def flag(name: str, *, default: bool) -> bool:
    read = text(name, "true" if default else "false")
    match read.lower():
        case "1" | "true" | "yes" | "on":
            return True
        case "0" | "false" | "no" | "off":
            return False
    raise BadSetting(name, read, "true or false")


def integer(name: str, default: int, *, least: int, most: int) -> int:
    read = text(name, str(default))
    if re.fullmatch(r"-?[0-9]{1,18}", read) and least <= int(read) <= most:
        return int(read)
    raise BadSetting(name, read, f"a whole number from {least} to {most}")


def choice(name: str, default: str, *, allowed: tuple[str, ...]) -> str:
    read = text(name, default)
    if read not in allowed:
        raise BadSetting(name, read, " or ".join(allowed))
    return read


def words(name: str, default: str) -> list[str]:
    """A comma-separated list, without empty entries."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def folder(name: str, default: Path) -> Path:
    """An absolute folder; it need not exist yet, but a file must not be in its place."""
    path = Path(text(name, str(default))).expanduser().absolute()
    if path.exists() and not path.is_dir():
        raise BadSetting(name, str(path), "a folder, or a path where one can be made")
    return path
