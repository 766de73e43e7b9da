"""Fetches a photo by its link, without reaching anything that the link's sender could not reach."""

from __future__ import annotations

import http.client
import ipaddress
import re
import socket
import ssl
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urljoin, urlsplit

from pipeline.errors import CallerError, ImageRejected
from pipeline.images import MAX_IMAGE_BYTES
from pipeline.reject_reasons import RejectReason

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Address = ipaddress.IPv4Address | ipaddress.IPv6Address

LINK_LIMIT_S = 10.0  # chosen by us, redirects included: the API itself gives up after 30 s
CONNECT_LIMIT_S = 3.0  # chosen by us
MAX_LINK_CHARACTERS = 2048  # chosen by us: longer ones fail elsewhere, too
MAX_REDIRECTS = 3  # chosen by us: from http to https, and on to a host's image store
CHUNK_BYTES = 65_536
PORTS = {"https": 443, "http": 80}  # no others: a link must not connect to anything but a web server
REDIRECTS = frozenset({301, 302, 303, 307, 308})
OK = 200
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: the last four bytes are an IPv4 address
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]", re.ASCII)
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]|[^\x00-\x7f]")
_ENDINGS = {404: RejectReason.MISSING, 410: RejectReason.MISSING, 401: RejectReason.DENIED, 403: RejectReason.DENIED}


def resolve_host(host: str, port: int) -> list[str]:
    """Return the addresses of the host, as this machine resolves them.

    Raises:
        OSError: there are none.
    """
    return list(dict.fromkeys(str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))


def open_connection(address: str, port: int, timeout_s: float) -> socket.socket:
    """Return a connection to exactly this address."""
    return socket.create_connection((address, port), timeout_s)


# The address that was checked is the one opened, so that a second DNS answer changes nothing (DECISIONS.md, 23).
@dataclass(frozen=True)
class LinkFetcher:
    """Fetches photos by https, and by http where ``allows_http``.

    Each host is resolved once, all of its addresses must be public, and the connection goes to an address that was
    checked: a host name that resolves differently the second time gains nothing.
    """

    allows_http: bool = False
    limit_s: float = LINK_LIMIT_S
    resolve: Callable[[str, int], Sequence[str]] = resolve_host
    connect: Callable[[str, int, float], socket.socket] = open_connection
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    def fetch(self, link: str, limit_bytes: int = MAX_IMAGE_BYTES) -> bytes:
        """Return what the link leads to.

        Raises:
            CallerError: the link is not allowed, or its host does not answer.
            ImageRejected: the photo does not exist, is not public, or is larger than the limit.
        """
        open_ = _Open()
        watch = threading.Timer(self.limit_s, open_.cut)
        watch.daemon = True
        watch.start()
        try:
            for _ in range(MAX_REDIRECTS + 1):
                fetched = self._request(link, limit_bytes, open_)
                open_.refuse_late()  # a download that the timer cut may look complete
                if isinstance(fetched, bytes):
                    return fetched
                link = urljoin(link, fetched.location)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if open_.late.is_set():
                raise CallerError(f"the link's host takes more than {self.limit_s:g} s") from error
            raise CallerError(f"the link's host does not answer like a web server ({_kind(error)})") from error
        finally:
            watch.cancel()
            open_.close()
        raise CallerError(f"the link redirects more than {MAX_REDIRECTS} times")

    def _request(self, link: str, limit_bytes: int, open_: _Open) -> bytes | _Redirect:
        parts = self._checked(link)
        port = PORTS[parts.scheme]
        host = str(parts.hostname)
        address = self._address_of(host, port)
        open_.refuse_late()
        raw = open_.register(self.connect(address, port, CONNECT_LIMIT_S))
        raw.settimeout(2 * self.limit_s)  # longer than the timer, which ends the request and says why
        if parts.scheme == "https":
            # Registered before the handshake: wrapping makes another socket, and the first can no longer be cut.
            secured = self.tls.wrap_socket(raw, server_hostname=host, do_handshake_on_connect=False)
            open_.register(secured)
            secured.do_handshake()
            raw = secured
        connection = http.client.HTTPConnection(host, port)
        connection.sock = raw  # pinned, because the library would resolve the name again
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        # No cookie, no referrer, no signature: a link can fetch only what is public.
        headers = {
            "Host": parts.netloc,
            "Accept": "image/*",
            "Accept-Encoding": "identity",
            "User-Agent": "catalog-tagger",
        }
        connection.request("GET", path, headers=headers)
        return _parse_response(connection.getresponse(), limit_bytes)

    def _checked(self, link: str) -> SplitResult:
        parts, port = _split(link)
        allowed = ("https", "http") if self.allows_http else ("https",)
        if parts.scheme not in allowed:
            raise CallerError(f"the link must begin with {' or '.join(f'{scheme}://' for scheme in allowed)}")
        if "@" in parts.netloc:
            raise CallerError("the link contains a user name or password; only public links are fetched")
        if port not in (None, PORTS[parts.scheme]):
            raise CallerError(f"the link names port {port}; only {PORTS[parts.scheme]} is allowed")
        host = parts.netloc.rpartition(":")[0] if port is not None else parts.netloc
        if not _HOST.fullmatch(host):
            raise CallerError("the link names no host")
        return parts

    def _address_of(self, host: str, port: int) -> str:
        try:
            addresses = self.resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise CallerError("the link's host is unknown") from error
        if not addresses or not all(is_public(address) for address in addresses):
            raise CallerError("the link leads to an address that is not public")
        return addresses[0]


@dataclass
class _Open:
    """The connections of one link, which a timer cuts, because a timeout for each read does not stop a slow trickle."""

    late: threading.Event = field(default_factory=threading.Event)
    sockets: list[socket.socket] = field(default_factory=list)

    def register(self, connection: socket.socket) -> socket.socket:
        """Return the connection, registered for the timer to cut.

        Raises:
            TimeoutError: the time was up before the connection was registered.
        """
        self.sockets.append(connection)
        self.refuse_late()
        return connection

    def refuse_late(self) -> None:
        """Raise TimeoutError if the time is up."""
        if self.late.is_set():
            raise TimeoutError

    def cut(self) -> None:
        """Shut the connections down, which wakes the threads that wait for them."""
        self.late.set()  # first, for threads that wake up, or open a connection now
        for connection in self.sockets:
            try:
                socket.socket.shutdown(connection, socket.SHUT_RDWR)  # below TLS, whose state the other thread uses
            except OSError:
                continue  # it has ended by itself, or was wrapped

    def close(self) -> None:
        """Close the connections, in the thread that reads them."""
        for connection in self.sockets:
            connection.close()


@dataclass(frozen=True, slots=True)
class _Redirect:
    location: str


def is_public(text: str) -> bool:
    """Return whether the address is on the public internet, also if it is wrapped in another form."""
    try:
        address: Address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return all(
        inner.is_global and not inner.is_multicast and not inner.is_reserved and not _is_site_local(inner)
        for inner in _unwrapped(address)
    )


def _is_site_local(address: Address) -> bool:
    """Return whether the address is one of fec0::/10: deprecated by RFC 3879, but still routed inside some networks."""
    return isinstance(address, ipaddress.IPv6Address) and address.is_site_local


def _unwrapped(address: Address) -> list[Address]:
    """Return the address, and the IPv4 address that it embeds, if any."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address.ipv4_mapped:
        return [address.ipv4_mapped]
    if address in _NAT64:
        return [ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)]
    inner = [address.sixtofour, *(address.teredo or ())]
    return [address, *(wrapped for wrapped in inner if wrapped is not None)]


def _split(link: str) -> tuple[SplitResult, int | None]:
    """Return the parts of the link, and the port that it names."""
    if len(link) > MAX_LINK_CHARACTERS:
        raise CallerError(f"the link has {len(link):,} characters; the limit is {MAX_LINK_CHARACTERS:,}")
    if _UNSAFE.search(link):
        raise CallerError("the link contains a space, a backslash or a character that must be %-encoded")
    try:
        parts = urlsplit(link)
        port = parts.port
    except ValueError as error:
        raise CallerError("the link is not a web address") from error
    return parts, port


def _parse_response(response: http.client.HTTPResponse, limit_bytes: int) -> bytes | _Redirect:
    if response.status in REDIRECTS:
        return _Redirect(response.getheader("Location") or "")
    if response.status in _ENDINGS:
        raise ImageRejected(_ENDINGS[response.status], f"the link's host answers {response.status}")
    if response.status != OK:
        raise CallerError(f"the link's host answers {response.status}")
    if response.getheader("Content-Encoding", "identity").lower() != "identity":
        raise CallerError("the link's host compresses the photo, although the request forbids it")
    if (response.length or 0) > limit_bytes:
        raise _too_large(limit_bytes, f"{response.length:,}")
    return _read_body(response, limit_bytes)


def _read_body(response: http.client.HTTPResponse, limit_bytes: int) -> bytes:
    data = bytearray()
    while chunk := response.read1(CHUNK_BYTES):
        data += chunk
        if len(data) > limit_bytes:
            raise _too_large(limit_bytes, f"over {limit_bytes:,}")
    if response.length:
        raise http.client.IncompleteRead(b"", response.length)
    return bytes(data)


def _too_large(limit_bytes: int, size: str) -> ImageRejected:
    return ImageRejected(RejectReason.BYTES, f"the link leads to {size} bytes; the limit is {limit_bytes:,}")


def _kind(error: Exception) -> str:
    return type(error).__name__
