"""Where a platform on this machine keeps its data when ESTEIRA_HOME does not say. The server and the command agree."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def default_home() -> Path:
    """`var` of a clone. What was installed must not write beside its code: then it is the person's own data folder."""
    if (ROOT / "pyproject.toml").is_file():
        return ROOT / "var"
    data = os.environ.get("XDG_DATA_HOME", "")
    if not Path(data).is_absolute():
        data = os.path.expanduser("~/.local/share")  # noqa: PTH111  pathlib raises for a user without an entry
    # Whoever has no home at all gets it where she stands.
    return Path(data) / "esteira" if Path(data).is_absolute() else Path.cwd() / "esteira"
