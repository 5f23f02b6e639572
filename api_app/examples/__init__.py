"""What is said and answered, for each operation of the OpenAPI document: one table, made up of a few whole stories.

A test holds every operation to an example that its own schema takes.
"""

from typing import Final

from api_app.examples import account, bulk, files, ga4gh, jobs, people, runner, uploads, webhooks
from api_app.examples.form import Example
from api_app.examples.ids import PARAMETERS

__all__ = ["EXAMPLES", "PARAMETERS", "Example"]

EXAMPLES: Final[dict[str, Example]] = {
    name: example
    for part in (account, bulk, files, ga4gh, jobs, people, runner, uploads, webhooks)
    for name, example in part.EXAMPLES.items()
}
