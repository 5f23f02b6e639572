"""The way to the database, step by step: its name, its port, its door."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from psycopg.conninfo import conninfo_to_dict

from orchestration.findings import Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT_S: Final = 5
"""For each step; a server that is well answers in milliseconds."""
PORT: Final = 5432


@dataclass(frozen=True, slots=True)
class Address:
    """Of DATABASE_URL. `host` is a folder where the server listens on a socket of this machine."""

    host: str
    port: int
    name: str
    user: str

    @classmethod
    def read(cls, url: str) -> Self:
        parts: Mapping[str, object] = conninfo_to_dict(url)
        host = str(parts.get("host") or "/var/run/postgresql").split(",")[0]
        # Of several servers the first, as with the host.
        port = int(str(parts.get("port") or "").split(",")[0] or PORT)
        return cls(host, port, str(parts.get("dbname", "")), str(parts.get("user", "")))

    @property
    def is_socket(self) -> bool:
        return self.host.startswith("/")

    @property
    def is_near(self) -> bool:
        """On this machine: nobody listens in between."""
        return self.is_socket or self.host in {"localhost", "127.0.0.1", "::1"}

    def look_up(self) -> str:
        if self.is_socket:
            return f"a socket in {self.host}"
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as exc:
            why = getattr(exc, "strerror", None) or "it is no name that can be asked for"
            raise Fault(
                f"The name {self.host} cannot be looked up: {why}.",
                causes=(
                    "a typing error in DATABASE_URL",
                    "the cluster was deleted, or its endpoint has another name since",
                    "this network has no resolver for private zones (VPC: enableDnsHostnames, enableDnsSupport)",
                ),
                command=f"getent hosts {self.host}",
            ) from exc
        return f"{self.host} is {', '.join(dict.fromkeys(str(row[4][0]) for row in found))}"

    def reach(self) -> str:
        try:
            if self.is_socket:
                return self._knock_socket()
            with socket.create_connection((self.host, self.port), TIMEOUT_S):
                return f"port {self.port} answers"
        except TimeoutError as exc:
            raise Fault(
                f"Nothing at {self.host}:{self.port} answers within {TIMEOUT_S} s: packets are dropped on the way.",
                causes=(
                    "the database's security group does not let this process in",
                    "a network policy or firewall between them",
                    "no route between the subnets",
                ),
                command=f"nc -vz -w {TIMEOUT_S} {self.host} {self.port}",
            ) from exc
        except OSError as exc:
            raise Fault(
                f"{self._where} refuses the connection: {exc.strerror or exc}.",
                causes=(
                    "PostgreSQL does not run there, or starts just now",
                    "it listens on another port or address",
                    "a failover is under way: try again in half a minute",
                ),
                command=f"pg_isready -h {self.host} -p {self.port}",
            ) from exc

    @property
    def _where(self) -> str:
        return f"{self.host}/.s.PGSQL.{self.port}" if self.is_socket else f"{self.host}:{self.port}"

    def _knock_socket(self) -> str:
        path = Path(self.host) / f".s.PGSQL.{self.port}"
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(TIMEOUT_S)
            line.connect(str(path))
        return f"{path} answers"
