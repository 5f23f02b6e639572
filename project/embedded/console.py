"""How set-up talks: calm short lines, at once, and one sentence when it must give up."""

import sys


class GiveUp(SystemExit):
    """Ends set-up with exit code 1 and a sentence that says what the person can do."""


def say(sentence: str) -> None:
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()
