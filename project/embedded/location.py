"""Where the embedded database says how to reach it."""

from pathlib import Path


def embedded_database_url(home: Path) -> str:
    """What the launcher wrote, or an address that names the database but needs no password.

    Commands that touch no database (makemigrations, type checks) must start without one.
    """
    try:
        return (home / "postgres" / "url").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return "postgresql:///esteira"
