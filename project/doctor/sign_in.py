"""Why PostgreSQL does not let somebody in: libpq gives one sentence, which is read here as a person would."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from orchestration.findings import Fault
from project.doctor.masked import shown

if TYPE_CHECKING:
    from project.doctor.address import Address


class Reading(NamedTuple):
    """`signs` are parts of libpq's or the server's sentence, any of which means this."""

    signs: tuple[str, ...]
    said: str
    causes: tuple[str, ...]
    command: str


# libpq's own sentences, and the server's FATAL ones of PostgreSQL 13 to 18 (src/backend/libpq/auth.c, postmaster.c).
READINGS: Final = (
    Reading(
        ("password authentication failed", "28P01", "PAM authentication failed"),
        "The server refuses the password of user {user}.",
        (
            "the password was rotated, and this process still has the old one",
            "the secret is that of another environment",
            "with IAM sign-in: the token is older than 15 minutes, or the role may not rds-db:connect",
        ),
        "aws secretsmanager describe-secret --secret-id SECRET --query '[LastRotatedDate,NextRotationDate]'",
    ),
    Reading(
        ("no password supplied", "fe_sendauth"),
        "The server wants a password for user {user}, and DATABASE_URL has none.",
        ("the secret was not mounted, or is empty",),
        shown("DATABASE_URL"),
    ),
    Reading(
        ("no pg_hba.conf entry", "pg_hba.conf rejects"),
        "The server lets nobody in from here as {user}, or not without TLS.",
        (
            "the server forces TLS, and DATABASE_URL says sslmode=disable or prefer",
            "pg_hba.conf does not name this address, database or user",
        ),
        "psql \"$DATABASE_URL&sslmode=verify-full\" -c 'SELECT 1'",
    ),
    Reading(
        ("server does not support SSL",),
        "DATABASE_URL asks for TLS, and the server has none.",
        ("the server was set up with ssl = off", "a proxy between them speaks no TLS"),
        "psql -h {host} -p {port} -c 'SHOW ssl'",
    ),
    Reading(
        ("certificate verify failed", "does not match host name", "root certificate file", "self-signed certificate"),
        "The server's certificate is not trusted: {raw}",
        (
            "sslrootcert is missing, or older than the authority's last rotation",
            "DATABASE_URL names the server by another name than its certificate, such as an alias or an address",
        ),
        "curl -sO https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem",
    ),
    Reading(
        ("too many clients", "remaining connection slots", "too many connections"),
        "The server takes no more connections.",
        (
            "more processes than it was sized for: each takes up to ESTEIRA_DB_POOL_SIZE",
            "connections left open by something else",
        ),
        "psql -U ADMINISTRATOR -h {host} -c 'SELECT application_name, count(*) FROM pg_stat_activity GROUP BY 1'",
    ),
    Reading(
        ("starting up", "shutting down", "in recovery mode", "not yet accepting connections", "57P03"),
        "The server is starting or stopping just now.",
        ("a failover, a restart or a restore is under way: it passes in a minute or two",),
        "aws rds describe-events --source-type db-cluster --duration 60",
    ),
    Reading(
        ("timeout expired", "timed out"),
        "The port is open, and then nothing is said.",
        ("the server hangs, or is far beyond its load", "a proxy in between has no server behind it"),
        "pg_isready -h {host} -p {port}",
    ),
    Reading(
        ("server closed the connection", "received invalid response", "expected authentication request"),
        "What listens on port {port} is no PostgreSQL, or ended the connection.",
        ("DATABASE_URL has the port of something else", "the server crashed: see its log"),
        "pg_isready -h {host} -p {port}",
    ),
)


def read(raw: str, address: Address) -> Fault:
    """`raw` is what libpq said. It never holds the password."""
    raw = " ".join(raw.split())
    if "does not exist" in raw and "database" in raw:
        return Fault(
            f"There is no database {address.name} on this server.",
            causes=("a typing error in DATABASE_URL", "the database was restored under another name"),
            command=f"psql -h {address.host} -p {address.port} -l",
        )
    if "does not exist" in raw and "role" in raw:
        return Fault(
            f"The server knows no user {address.user}.",
            causes=("a typing error in DATABASE_URL", "a restored server without its roles"),
            command=f"psql -h {address.host} -p {address.port} -U ADMINISTRATOR -c '\\du'",
        )
    words = {"user": address.user, "host": address.host, "port": address.port, "raw": raw}
    for reading in READINGS:
        if any(sign in raw for sign in reading.signs):
            return Fault(reading.said.format(**words), causes=reading.causes, command=reading.command.format(**words))
    return Fault(f"The server lets nobody in: {raw}", command="psql \"$DATABASE_URL\" -c 'SELECT 1'")
