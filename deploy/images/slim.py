"""slim.py VENV: takes out of packages what the platform never reads, more than sixty megabytes of it."""

import shutil
import sys
from pathlib import Path

SERVICES = {"batch", "logs", "s3", "sqs", "stepfunctions", "sts"}
"""Of AWS: those that we call, and the one by which a pod gets its credentials."""
LANGUAGES = {"en", "pt", "pt_BR"}
LEXERS = {"__init__.py", "_mapping.py", "python.py", "special.py"}
WITH_TESTS = ("certifi", "jsonschema", "jsonschema_specifications", "qrcode", "referencing")


def slim(packages: Path) -> None:
    for folder in (packages / "botocore" / "data").iterdir():
        if folder.is_dir() and folder.name not in SERVICES:
            shutil.rmtree(folder)
    for package in ("django", "allauth"):
        for locale in (packages / package).rglob("locale"):
            for folder in locale.iterdir():
                if folder.is_dir() and folder.name not in LANGUAGES:
                    shutil.rmtree(folder)
    # Colours for the sources of five hundred languages, which nothing of ours shows.
    for lexer in (packages / "pygments" / "lexers").glob("*.py"):
        if lexer.name not in LEXERS:
            lexer.unlink()
    for package in WITH_TESTS:
        shutil.rmtree(packages / package / "tests")
    shutil.rmtree(packages / "django" / "contrib" / "gis")


if __name__ == "__main__":
    (lib,) = Path(sys.argv[1], "lib").glob("python3*")
    slim(lib / "site-packages")
