"""Serves the page's files from the package, with the headers that keep a browser safe."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from aws_lambda_powertools.event_handler import Response, openapi
from aws_lambda_powertools.event_handler.exceptions import NotFoundError

from pipeline.http.resolver import Resolver

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}
FIRST, API_DOCS = "index.html", "docs.html"
SETTINGS = "settings.json"  # generated, not read: this deployment's settings
# The viewer of the API's document comes with Powertools, so that both have the same version.
SWAGGER = Path(openapi.__file__).parent / "swagger_ui"
SWAGGER_FILES = ("swagger-ui-bundle.min.js", "swagger-ui.min.css")
# The viewer sets styles in its script and draws icons from data: URLs. It runs no code but the files above.
DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """The hosts that the page may reach beside its own, by purpose. All empty in a local run."""

    photos: tuple[str, ...] = ()
    watch: str = ""
    sign_in: str = ""


# DECISIONS.md, 21: the page ships in the package, not as a site, so its version is that of its API.
@dataclass(frozen=True)
class PageFiles:
    """The files of a folder, the settings of this deployment, and the API's document.

    Attributes:
        folder: with the page's files.
        settings: the content of ``settings.json``.
        hosts: which hosts the page may reach.
        document: returns the API's document in JSON; called once, at the first request.
    """

    folder: Path
    settings: Mapping[str, str]
    hosts: AllowedHosts
    document: Callable[[], str]

    @property
    def policy(self) -> str:
        """The content security policy of the page: it runs only our own files and reaches only the named hosts."""
        reachable = " ".join(filter(None, ("'self'", *self.hosts.photos, self.hosts.watch, self.hosts.sign_in)))
        photos = " ".join(("'self'", "blob:", "data:", *self.hosts.photos))
        return "; ".join(
            (
                "default-src 'none'",
                "script-src 'self'",
                "style-src 'self'",
                f"img-src {photos}",
                f"connect-src {reachable}",
                "manifest-src 'self'",
                "base-uri 'none'",
                "form-action 'none'",
                "frame-ancestors 'none'",
                "require-trusted-types-for 'script'",
                "trusted-types 'none'",
            )
        )

    @cached_property
    def document_text(self) -> str:
        """The API's document in JSON."""
        return self.document()

    def file(self, name: str) -> Response[Any]:
        """Return the file as an answer.

        Raises:
            NotFoundError: the page has no file of this name.
        """
        if name == SETTINGS:
            return Response(int(HTTPStatus.OK), TYPES[".json"], json.dumps(dict(self.settings)))
        # By the folder's own listing, so that no name leads out of it.
        paths = [*self.folder.iterdir(), *(SWAGGER / swagger for swagger in SWAGGER_FILES)]
        path = next((path for path in paths if path.name == name and path.suffix in TYPES), None)
        if path is None:
            raise NotFoundError(f"the page has no file {name!r}")
        data = path.read_bytes()
        headers: dict[str, str | list[str]] = {
            "etag": f'"{hashlib.sha256(data).hexdigest()[:16]}"',
            "cache-control": "no-cache",  # revalidated each time, mostly by a 304: a new page shows at once
            "content-security-policy": DOCS_POLICY if name == API_DOCS else self.policy,
            "x-frame-options": "DENY",  # for browsers without frame-ancestors
            "referrer-policy": "no-referrer",
            "cross-origin-opener-policy": "same-origin",
            "permissions-policy": "camera=(), microphone=(), geolocation=()",
        }
        return Response(int(HTTPStatus.OK), TYPES[path.suffix], data, headers)


def add_routes(app: Resolver, page: PageFiles) -> None:
    """Add the routes GET /, /page/{file}, /docs and /openapi.json."""

    def index() -> Response[Any]:
        return page.file(FIRST)

    def page_file(file: str) -> Response[Any]:
        return page.file(unquote(file))

    def docs() -> Response[Any]:
        return page.file(API_DOCS)

    def document() -> Response[Any]:
        return Response(int(HTTPStatus.OK), TYPES[".json"], page.document_text)

    app.file("/", index)
    app.file("/page/<file>", page_file)
    app.file("/docs", docs)
    app.file("/openapi.json", document)
