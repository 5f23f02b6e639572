"""python -m project.work worker|beat …: Celery's command with our app in it.

`celery -A project.celery` looks for the app where somebody stands before it looks among what is installed.
"""

import sys

from project.celery import app

if __name__ == "__main__":
    app.start(sys.argv[1:])
