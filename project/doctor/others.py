"""Who else is asked, the scanner and the mail server; and what the settings themselves say."""

from __future__ import annotations

import ipaddress
import smtplib
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import mailers

from orchestration.errors import ScannerUnavailable
from orchestration.findings import WARNING, Fault, NotSetUp, tried
from orchestration.scanners.base import Subject
from orchestration.scanners.registry import get_scanner
from project.doctor.masked import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestration.findings import Finding

# Every scanner knows this one, which harms nobody (https://www.eicar.org/download-anti-malware-testfile/). In two
# pieces, or they would find it here.
EICAR: Final = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + rb"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


def scanner() -> Iterator[Finding]:
    yield from tried([("scanner", _scanner)])


def mail() -> Iterator[Finding]:
    yield from tried([("mail", _mail)])


def configuration() -> Iterator[Finding]:
    yield from tried([("public address", _public_url)])
    yield from tried([("debug", _debug)])


def _scanner() -> str:
    if settings.SCANNER == "none":
        raise NotSetUp("No scanner: ESTEIRA_SCANNER is none, files are taken as they are.")
    if settings.SCANNER == "guardduty":
        raise NotSetUp("GuardDuty writes its answers on the objects; files that wait for one say so.")
    try:
        scan = get_scanner().begin(Subject(len(EICAR), str))
        try:
            scan.feed(EICAR)
            found = scan.verdict()
        finally:
            scan.close()
    except ScannerUnavailable as exc:
        raise Fault(
            f"{exc} Files wait until it does.",
            causes=(
                "clamd does not run, or still loads its signatures (a minute)",
                "ESTEIRA_CLAMD names another place",
            ),
            command="clamdscan --ping 3",
        ) from exc
    if not found:
        raise Fault(
            "The scanner lets the EICAR test file pass: it finds nothing.",
            causes=("it has no signatures: freshclam has not run",),
            command="freshclam",
        )
    return f"finds the test file ({found})"


def _mail() -> str:
    if not settings.MAILERS:
        raise NotSetUp("No mail server: ESTEIRA_MAIL_URL is empty, nobody is told anything.")
    options = settings.MAILERS["default"]["OPTIONS"]
    where = f"{options['host']}:{options['port']}"
    mailer = mailers.default
    try:
        mailer.open()
    except smtplib.SMTPAuthenticationError as exc:
        raise Fault(
            f"The mail server at {where} refuses {options['username']}'s password.",
            causes=("it was changed", "the server wants a password made for this application"),
            command=shown("ESTEIRA_MAIL_URL"),
        ) from exc
    except (smtplib.SMTPException, OSError) as exc:
        raise Fault(
            f"The mail server at {where} cannot be used: {exc}. Mail waits and is tried again.",
            causes=(
                "a firewall: many networks close port 25",
                "another port or security than the server's: starttls is 587, tls is 465",
                "its certificate is not trusted here",
            ),
            command=f"openssl s_client -starttls smtp -connect {where} < /dev/null",
        ) from exc
    finally:
        mailer.close()
    return f"{where} takes us"


def _public_url() -> str:
    url = urlsplit(settings.PUBLIC_URL)
    host = url.hostname or ""
    if url.scheme == "http" and not _is_near(host):
        raise Fault(
            f"Links and cookies go by http: ESTEIRA_PUBLIC_URL is {settings.PUBLIC_URL}.",
            WARNING,
            causes=("no proxy with TLS in front, or the address was never set",),
            command="set ESTEIRA_PUBLIC_URL=https://… as browsers reach it",
        )
    if host not in settings.ALLOWED_HOSTS and f"[{host}]" not in settings.ALLOWED_HOSTS:
        raise Fault(
            f"Pages at {settings.PUBLIC_URL} are refused: {host} is not among ESTEIRA_ALLOWED_HOSTS.",
            causes=("one of the two was changed and the other was not",),
            command=f"set ESTEIRA_ALLOWED_HOSTS={','.join([*settings.ALLOWED_HOSTS, host])}",
        )
    return settings.PUBLIC_URL


def _is_near(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _debug() -> str:
    if settings.DEBUG:
        raise Fault(
            "ESTEIRA_DEBUG is on: error pages show settings and code to everybody.",
            WARNING,
            command="unset ESTEIRA_DEBUG",
        )
    return "off"
