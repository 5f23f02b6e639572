"""An OpenID provider for tests: real HTTP on a port of this machine, real keys, and strict about what clients send."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CLIENT, SECRET = "esteira", "a secret of both"


@dataclass
class Person:
    sub: str = "248289761001"
    email: str = "ida@example.org"
    email_verified: object = True
    preferred_username: str = "ida"
    name: str = "Ida Rocha"


@dataclass
class Double:
    """`spoil` changes what goes wrong: claims, the signer's key or algorithm, the user-info, the metadata."""

    url: str = ""
    person: Person = field(default_factory=Person)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)
    claims: Callable[[dict[str, Any]], dict[str, Any]] = lambda claims: claims
    userinfo: Callable[[dict[str, Any]], dict[str, Any]] = lambda said: said
    metadata: Callable[[dict[str, Any]], dict[str, Any]] = lambda said: said
    algorithm: str = "RS256"
    kid: str = "one"
    signs_with_other: bool = False
    refusals: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.other = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def consent(self, location: str) -> dict[str, str]:
        """As a person at the provider who says yes: what her browser brings back."""
        self.asked = dict(parse_qsl(urlsplit(location).query))
        assert self.asked["response_type"] == "code"
        assert self.asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self.codes[code] = self.asked
        return {"code": code, "state": self.asked["state"]}

    def described(self) -> dict[str, Any]:
        at = self.url
        said = {"issuer": at, "authorization_endpoint": f"{at}/authorize", "token_endpoint": f"{at}/token"}
        said |= {"jwks_uri": f"{at}/keys", "userinfo_endpoint": f"{at}/me"}
        return self.metadata(said | {"token_endpoint_auth_methods_supported": ["client_secret_post"]})

    def keys(self) -> dict[str, Any]:
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [public | {"kid": "one", "use": "sig", "alg": "RS256"}]}

    def exchange(self, sent: dict[str, str]) -> dict[str, Any] | str:
        """The tokens, or why not."""
        asked = self.codes.pop(sent.get("code", ""), None)
        if asked is None:
            return "no such code, or used before"
        if (sent.get("client_id"), sent.get("client_secret")) != (CLIENT, SECRET):
            return "not the client"
        if sent.get("redirect_uri") != asked["redirect_uri"]:
            return "another address"
        digest = hashlib.sha256(sent.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != asked["code_challenge"]:
            return "the proof key does not fit"
        return {"access_token": "for-me", "token_type": "Bearer", "id_token": self.id_token(asked)}

    def id_token(self, asked: dict[str, str]) -> str:
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked.get("nonce")}
        claims = self.claims(claims | self.said_of_person())
        key: Any = self.other if self.signs_with_other else self.key
        if self.algorithm == "none":
            key = ""
        elif self.algorithm.startswith("HS"):
            key = json.dumps(self.keys()["keys"][0])
        return jwt.encode(claims, key, algorithm=self.algorithm, headers={"kid": self.kid})

    def said_of_person(self) -> dict[str, Any]:
        return dict(vars(self.person))


@contextmanager
def provider() -> Iterator[Double]:
    double = Double()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            match urlsplit(self.path).path:
                case "/.well-known/openid-configuration":
                    self._say(double.described())
                case "/keys":
                    self._say(double.keys())
                case "/me" if self.headers["Authorization"] == "Bearer for-me":
                    self._say(double.userinfo(double.said_of_person()))
                case _:
                    self._say({"error": "nothing here"}, 404)

        def do_POST(self) -> None:
            sent = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            got = double.exchange({name: values[0] for name, values in sent.items()})
            if isinstance(got, str):
                double.refusals.append(got)
                self._say({"error": "invalid_grant", "error_description": got}, 400)
            else:
                self._say(got)

        def _say(self, said: dict[str, Any], status: int = 200) -> None:
            body = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        double.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield double
        server.shutdown()
        thread.join()
