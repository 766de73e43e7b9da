"""Calls the API as API Gateway does, without one: requests become events, and events' answers come apart."""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

import pytest

from pipeline.http.resolver import HttpSettings, Resolver, make_http_handler

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipeline.http.resolver import HttpHandler

CONTEXT = SimpleNamespace(function_name="api", memory_limit_in_mb=1, invoked_function_arn="", aws_request_id="1")
JSON = "application/json"


@dataclass(frozen=True)
class ApiAnswer:
    """An answer: its status, its bytes as they were before gzip, and its headers in lower case."""

    status: int
    data: bytes
    headers: dict[str, str]

    @property
    def body(self) -> Any:
        """The document of an answer in JSON, or the text of any other."""
        text = self.data.decode()
        return json.loads(text) if "json" in self.headers.get("content-type", "") else text


@dataclass(frozen=True)
class ApiCaller:
    """Calls a function's handler. ``authorizer`` is what the gateway says of who signed in."""

    handler: HttpHandler
    authorizer: Mapping[str, Any] | None = None

    def get(self, path: str, query: Mapping[str, object] | None = None, **headers: str) -> ApiAnswer:
        """Call GET; header names may have ``_`` for ``-``."""
        return self.send("GET", path, urlencode(query or {}), headers=headers)

    def post(self, path: str, document: object, query: Mapping[str, object] | None = None, **headers: str) -> ApiAnswer:
        """Call POST with a document of JSON."""
        data = json.dumps(document).encode()
        return self.send("POST", path, urlencode(query or {}), data, {"content-type": JSON, **headers})

    def send(
        self, method: str, path: str, query: str = "", data: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> ApiAnswer:
        """Call anything; the path is decoded, the query is not."""
        return self.answer(event_of(method, path, query, data, headers, self.authorizer))

    def answer(self, event: dict[str, Any]) -> ApiAnswer:
        """Hand an event to the function, and take its answer apart."""
        answer = self.handler(event, CONTEXT)
        headers = {name.lower(): value for name, value in answer["headers"].items()}
        body = answer["body"]
        data = base64.b64decode(body) if answer["isBase64Encoded"] else str(body).encode()
        packed = headers.get("content-encoding") == "gzip"
        return ApiAnswer(answer["statusCode"], gzip.decompress(data) if packed else data, headers)


def event_of(  # noqa: PLR0913, PLR0917 - the parts of a request
    method: str,
    path: str,
    query: str = "",
    data: bytes = b"",
    headers: Mapping[str, str] | None = None,
    authorizer: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the event of a request in API Gateway's payload format 2.0."""
    repeated: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        repeated.setdefault(name, []).append(value)
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "queryStringParameters": {name: ",".join(values) for name, values in repeated.items()},
        "headers": {name.replace("_", "-"): value for name, value in (headers or {}).items()},
        "requestContext": {
            "http": {"method": method, "path": path},
            "stage": "$default",
            "domainName": "api.example",
            **({"authorizer": dict(authorizer)} if authorizer is not None else {}),
        },
        "body": base64.b64encode(data).decode() if data else None,
        "isBase64Encoded": bool(data),
    }


def caller_for(
    *add_routes: Callable[[Resolver], None],
    settings: HttpSettings | None = None,
    warn: Callable[[str], None] = pytest.fail,
    authorizer: Mapping[str, Any] | None = None,
) -> ApiCaller:
    """Return a caller of a function with these routes, which by default has nothing to warn of."""
    app = Resolver(warn, settings)
    for add in add_routes:
        add(app)
    return ApiCaller(make_http_handler(app, settings), authorizer)
