"""The page's files, given out as they lie in the package, with what a browser must know before it trusts them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.http_event import NOT_FOUND, Answer, json_answer, problem

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pipeline.http_event import Request, Route

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}
FIRST = "index.html"
SETTINGS = "settings.json"  # made, not read: what this deployment's page must know


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What the page talks to beside its own host: hosts by what they are for. All empty on the local run."""

    photos: tuple[str, ...] = ()
    watch: str = ""
    sign_in: str = ""


# DECISIONS.md, 21
@dataclass(frozen=True, slots=True)
class Page:
    """The files of a folder, and what they are told."""

    folder: Path
    settings: Mapping[str, str]
    neighbours: Neighbours

    @property
    def policy(self) -> str:
        """The content security policy: nothing but our own files runs, and nobody is talked to who is not named."""
        reached = " ".join(
            filter(None, ("'self'", *self.neighbours.photos, self.neighbours.watch, self.neighbours.sign_in))
        )
        photos = " ".join(("'self'", "blob:", "data:", *self.neighbours.photos))
        return "; ".join(
            (
                "default-src 'none'",
                "script-src 'self'",
                "style-src 'self'",
                f"img-src {photos}",
                f"connect-src {reached}",
                "manifest-src 'self'",
                "base-uri 'none'",
                "form-action 'none'",
                "frame-ancestors 'none'",
                "require-trusted-types-for 'script'",
                "trusted-types 'none'",
            )
        )

    def file(self, name: str, known: str = "") -> Answer:
        """Return the file as an answer; a browser that has it already, by its mark, gets nothing again."""
        if name == SETTINGS:
            return json_answer(dict(self.settings))
        # By the folder's own listing: no name leads out of it.
        path = next((path for path in self.folder.iterdir() if path.name == name and path.suffix in TYPES), None)
        if path is None:
            return problem(NOT_FOUND, "There is no such file", "the page has no file of this name")
        data = path.read_bytes()
        mark = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
        headers = {
            "etag": mark,
            "cache-control": "no-cache",  # asked for each time, answered by 304: a new page is seen at once
            "content-security-policy": self.policy,
            "referrer-policy": "no-referrer",
            "cross-origin-opener-policy": "same-origin",
            "permissions-policy": "camera=(), microphone=(), geolocation=()",
        }
        if known == mark:
            return Answer(b"", 304, TYPES[path.suffix], headers)
        return Answer(data, media_type=TYPES[path.suffix], headers=headers)


def make_routes(page: Page) -> Mapping[str, Route]:
    """Return what answers the routes: GET / and GET /page/{file}."""

    def first(request: Request) -> Answer:
        return page.file(FIRST, request.headers.get("if-none-match", ""))

    def other(request: Request) -> Answer:
        return page.file(request.path.get("file", ""), request.headers.get("if-none-match", ""))

    return {"GET /": first, "GET /page/{file}": other}
