"""The address under which clients reach a running server."""

from urllib.parse import quote, urlencode

from project.embedded.cluster import ROLE
from project.embedded.postmaster import Postmaster


def database_url(server: Postmaster, *, database: str, password: str) -> str:
    """A libpq address that Django, psycopg and pgmq all read.

    The socket's folder is a query parameter because a parser lowers the case of a host. `require_auth`
    makes the client insist on a server that knows the password, should somebody else answer in its place.
    """
    reach = {
        "host": server.socket_folder or "127.0.0.1",
        "port": str(server.port),
        "require_auth": "scram-sha-256",
    }
    return f"postgresql://{ROLE}:{password}@/{quote(database, safe='')}?{urlencode(reach, safe='/')}"
