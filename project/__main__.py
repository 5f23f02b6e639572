"""`python -m project` is manage.py, which an installed package does not have; `esteira manage` calls it."""

import os
import sys

from django.core.management import execute_from_command_line


def main(name: str = "esteira manage") -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    execute_from_command_line([name, *sys.argv[1:]])


if __name__ == "__main__":
    main()
