"""`python -m project.clients` writes the generated parts of the clients anew, from docs/openapi.json."""

from project.clients import python
from project.clients.document import REPO
from project.embedded.console import say


def main() -> None:
    wanted = python.files()
    folder = REPO / python.PACKAGE
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.py"):
        if old.relative_to(REPO) not in wanted:
            old.unlink()
    for path, text in wanted.items():
        (REPO / path).write_text(text, encoding="utf-8")
    say(f"{python.PACKAGE}: {len(wanted)} files")


if __name__ == "__main__":
    main()
