"""How to look at an address without its password: what the doctor says is pasted into tickets."""

from __future__ import annotations

from typing import Final

# An address has it after the user, up to the last @, whatever is in it; libpq's other form, and a query, name it.
_MASK: Final = r"""sed -E "s#(://[^:/@]*):.*@#\1:***@#; s#(password=)('[^']*'|[^ &']+)#\1***#g" """.strip()


def shown(name: str) -> str:
    """The command that prints an environment variable."""
    return f"printenv {name} | {_MASK}"
