"""A reader's place: a checkout to type in, photos of their own, and an embedded AWS that nobody else uses."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.settings import home
from tests.docs.fenced import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

PRICE_LIST = b"%PDF-1.7\n"
LIMIT_S = 280  # of a block: the longest are a deployment and the demo
# Exit code 1 says that something wants attention, which is no failure of the command. What watches is stopped.
WRAPPER = """#!/bin/sh
case " $* " in *" --watch "*) limit="timeout --signal=INT 4" ;; *) limit= ;; esac
$limit {real} "$@"
code=$?
case $code in 1|124) exit 0 ;; *) exit $code ;; esac
"""
DUCKDB = """#!{python}
import sys, duckdb
print(duckdb.sql(sys.argv[2]))
"""
CURL = """#!/bin/sh
exec {real} --fail-with-body --silent --show-error "$@"
"""
# Version 1 of this command line asks AWS itself for queues unless its own option says where else.
AWS = """#!/bin/sh
exec {real} --endpoint-url "$AWS_ENDPOINT_URL" "$@"
"""
# The embedded AWS runs functions by this machine's Python, which cannot load libraries for the runtime's. So what was
# deployed gets a tagging function that does nothing.
MAKE = """#!/bin/sh
{real} "$@" || exit $?
case "$1" in deploy) exec {python} {script} ;; esac
"""
# What a shop system exports, for the command that merges keywords into it.
PRODUCTS = "Handle,Title,Tags\nleather-sofa,Leather Sofa,sale\n"
BROWSER = "#!/bin/sh\nexit 0\n"


@dataclass
class Workbench:
    """A folder that looks like the checkout, with a reader's own files in it, and the environment of their shell."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    @classmethod
    def lay_out(cls, folder: Path, photos: list[Path]) -> Workbench:
        """Return a workbench below the folder, with these photos in photos/."""
        checkout, commands = folder / "checkout", folder / "bin"
        for place in (checkout, commands, folder / "home", checkout / "photos"):
            place.mkdir()
        for entry in ROOT.iterdir():
            if entry.name not in {".catalog-tagger", ".git"}:
                (checkout / entry.name).symlink_to(entry)
        for name in ("model", "sample-catalogue", "downloads"):
            (folder / "home" / name).symlink_to(home() / name)
        for photo in photos:
            shutil.copy(photo, checkout / "photos" / photo.name)
        shutil.copy(photos[0], checkout / "shoe.jpg")
        (checkout / "photos" / "price-list.jpg").write_bytes(PRICE_LIST)
        (checkout / "products_export.csv").write_text(PRODUCTS)
        here = Path(sys.executable).parent
        for name, text in {
            "catalog-tagger": WRAPPER.format(real=here / "catalog-tagger"),
            "duckdb": DUCKDB.format(python=sys.executable),
            "browser": BROWSER,
            "aws": AWS.format(real=ROOT / ".venv/tools/aws/bin/aws"),
            "make": MAKE.format(
                real=shutil.which("make"), python=sys.executable, script=Path(__file__).with_name("idle_code.py")
            ),
            "curl": CURL.format(real=shutil.which("curl")),
        }.items():
            (commands / name).write_text(text)
            (commands / name).chmod(0o755)
        kept = ("HOME", "LANG", "PIP_INDEX_URL", "PIP_CONFIG_FILE", "PIP_EXTRA_INDEX_URL", "SSL_CERT_FILE")
        environment = {name: os.environ[name] for name in kept if name in os.environ}
        return cls(
            checkout,
            environment
            | {
                "PATH": f"{commands}:{here}:{os.environ['PATH']}",
                "BROWSER": str(commands / "browser"),
                "CATALOG_TAGGER_HOME": str(folder / "home"),
                "AWS_CONFIG_FILE": os.devnull,
                "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
                "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_PAGER": "",
                "PARAMETERS_FILE": str(folder / "parameters.toml"),
                "TAXONOMY_OVERLAY": "-",
            },
        )

    def type(self, script: str, *before: str, **variables: str) -> str:
        """Type a script into a shell and return what it prints; it fails where a command of it does."""
        done = subprocess.run(
            [*before, "bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env={**self.environment, **variables},
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout


class _Taking(BaseHTTPRequestHandler):
    """Takes whatever is sent to a search engine."""

    def _take(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_DELETE = do_PUT = do_POST = _take  # noqa: N815 - http.server's own names

    def log_message(self, *words: object) -> None:
        pass


@contextmanager
def search_engine() -> Iterator[str]:
    """Give the address of a server that takes what is sent to it, as a search engine would."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Taking)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
