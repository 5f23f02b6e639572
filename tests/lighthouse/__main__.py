"""`make lighthouse`."""

from __future__ import annotations

import os
import sys

import django


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    django.setup()
    from tests.lighthouse.pages import measure

    return measure()


if __name__ == "__main__":
    sys.exit(main())
