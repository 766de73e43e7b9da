"""A gateway over real HTTP that verifies who asks as Amazon API Gateway does: AWS Signature Version 4, or a JWT."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import httpx
import jwt

from infra.local.signatures import GatewayRequest
from pipeline.errors import Denied
from pipeline.http.client import TIMEOUT_S
from tests.api_caller import CONTEXT, event_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

    from pipeline.http.resolver import HttpHandler

    Authorize = Callable[["GatewayRequest"], Mapping[str, Any]]


class RefusedError(Denied):
    """The gateway answers by itself, with this status."""

    def __init__(self, status: int, message: str) -> None:
        """Refuse with the gateway's own message."""
        super().__init__(message)
        self.status = status


# ---- JSON Web Tokens, as an HTTP API's JWT authorizer checks them ----------------------------------------------------


@dataclass(frozen=True)
class TokenAuthorizer:
    """Lets in requests with a token of this issuer, for this audience, that is not over; some paths need a scope.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html
    """

    issuer: str
    audience: tuple[str, ...]
    keys: Mapping[str, Any]
    scopes: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, request: GatewayRequest) -> Mapping[str, Any]:
        """Return what the gateway tells the function of who signed in."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        try:
            key = self.keys[jwt.get_unverified_header(token)["kid"]]
            # The audience is checked below: an access token may say client_id in its place.
            claims = jwt.decode(
                token, key, algorithms=["RS256"], issuer=self.issuer, options={"require": ["exp"], "verify_aud": False}
            )
        except (jwt.InvalidTokenError, KeyError) as error:
            raise RefusedError(401, "Unauthorized") from error
        audience = claims.get("aud", claims.get("client_id"))
        if not set(self.audience) & set(audience if isinstance(audience, list) else [audience]):
            raise RefusedError(401, "Unauthorized")
        needed = self.scopes.get(request.path)
        if needed and needed not in str(claims.get("scope", "")).split():
            raise RefusedError(403, "Forbidden")
        return {"jwt": {"claims": {name: str(value) for name, value in claims.items()}, "scopes": None}}


# ---- The server ------------------------------------------------------------------------------------------------------


@contextmanager
def gateway(handler: HttpHandler, authorize: Authorize | None = None) -> Iterator[str]:
    """Serve a function over HTTP, and yield its address; without ``authorize`` everybody is let in."""
    one_at_a_time = Lock()  # as AWS Lambda calls a function; the resolver keeps the request at hand for all threads

    class Server(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Log nothing."""

        def __getattr__(self, name: str) -> Any:
            if name.startswith("do_"):
                return self._serve
            raise AttributeError(name)

        def _serve(self) -> None:
            path, _, query = self.path.partition("?")
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = GatewayRequest(self.command, path, query, headers, body)
            try:
                authorizer = authorize(request) if authorize else None
            except Denied as denied:
                data = json.dumps({"message": str(denied)}).encode()
                status = denied.status if isinstance(denied, RefusedError) else int(HTTPStatus.FORBIDDEN)
                self._send(status, {"content-type": "application/json"}, data)
                return
            decoded = unquote(path.replace("%25", "%2525"))  # as API Gateway does: every escape but that of %
            with one_at_a_time:
                answer = handler(event_of(self.command, decoded, query, body, headers, authorizer), CONTEXT)
            text = answer["body"] or ""
            data = base64.b64decode(text) if answer["isBase64Encoded"] else str(text).encode()
            self._send(answer["statusCode"], answer["headers"], data)

        def _send(self, status: int, headers: Mapping[str, str], data: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


# ---- Load ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Forged(httpx.Auth):
    """Says who asks as another does, with a signature that is not that of the request."""

    real: httpx.Auth

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Turn the end of the signature around."""
        signed = next(self.real.auth_flow(request))
        proof = signed.headers["authorization"]
        signed.headers["authorization"] = proof[:-40] + proof[:-41:-1]
        yield signed


def statuses_under_load(url: str, auth: httpx.Auth, callers: int) -> dict[str, Counter[int]]:
    """Return how often each status was the answer to so many callers at once of three kinds: as they are, forged, none.

    The three are interleaved on shared connections, so an answer that is let in for another's sake would show.
    """

    async def send() -> dict[str, Counter[int]]:
        limits = httpx.Limits(max_connections=16)
        async with httpx.AsyncClient(timeout=TIMEOUT_S * callers, limits=limits) as http:
            kinds = {"signed": auth, "forged": Forged(auth), "nobody": None}
            requests = [(kind, http.get(url, auth=proof)) for _ in range(callers) for kind, proof in kinds.items()]
            answers = await asyncio.gather(*(request for _, request in requests))
        statuses: dict[str, Counter[int]] = {kind: Counter() for kind in kinds}
        for (kind, _), answer in zip(requests, answers, strict=True):
            statuses[kind][answer.status_code] += 1
        return statuses

    return asyncio.run(send())
