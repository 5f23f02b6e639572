"""`python -m api_app.client` is the `esteira` command."""

import sys

from api_app.client.cli import main

if __name__ == "__main__":
    sys.exit(main())
