"""What a command works with: the client, the screen, and the address to show."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from api_app.client.client import Client
from api_app.client.options import Connection
from api_app.client.screen.screen import Screen


@dataclass(frozen=True, slots=True)
class Session:
    client: Client
    screen: Screen

    @property
    def base_url(self) -> str:
        return self.client.login.url


@contextmanager
def session(connection: Connection, *, is_json: bool = False) -> Iterator[Session]:
    screen = Screen(is_json=is_json)
    with Client(connection.url, connection.token, notice=screen.note) as client:
        yield Session(client, screen)
