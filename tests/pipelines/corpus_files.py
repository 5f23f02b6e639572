"""The committed files that the pipelines are tried on, by family."""

from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"


def family(name: str) -> list[Path]:
    return sorted(path for path in (CORPUS / name).iterdir() if path.is_file())


def is_sentence(text: str) -> bool:
    """What a person is shown: a capital, a full stop, no paths of a machine, no names of Python's exceptions."""
    return text[:1].isupper() and text.endswith(".") and "/tmp" not in text and "Exception(" not in text  # noqa: S108
