"""A link brings a public photo, and nothing that its sender could not have reached."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.errors import CallerError, ImageRejected
from pipeline.reject_reasons import RejectReason
from tagging_lambda.link import LinkFetcher, is_public, resolve_host

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PUBLIC = "93.184.216.34"
PHOTO = b"\xff\xd8 a photo"


@contextmanager
def web_server(*answers: bytes, seconds_between_bytes: float = 0) -> Iterator[tuple[int, list[bytes]]]:
    """A server that gives one answer a connection, and keeps what it was asked."""
    asked: list[bytes] = []
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for answer in answers:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                asked.append(connection.recv(65536))
                try:
                    if not seconds_between_bytes:
                        connection.sendall(answer)
                    for at in range(len(answer) if seconds_between_bytes else 0):
                        connection.sendall(answer[at : at + 1])
                        time.sleep(seconds_between_bytes)
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1], asked
    finally:
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)  # which wakes who waits in accept; closing alone does not
        listening.close()
        thread.join(5)


def answer(body: bytes = PHOTO, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def fetcher(port: int, address: str = PUBLIC, limit_s: float = 5) -> LinkFetcher:
    """A fetcher for whom every name is at a public address, which is in truth the server of the test."""
    return LinkFetcher(
        allows_http=True,
        limit_s=limit_s,
        resolve=lambda host, asked_port: [address],
        connect=lambda where, asked_port, timeout_s: socket.create_connection(("127.0.0.1", port), timeout_s),
    )


class Secured(socket.socket):
    """A connection in the clear whose handshake is done at once."""

    def do_handshake(self) -> None:
        pass


class Tls:
    """Secures nothing, and takes the connection over as the real one does. ``names`` keeps whose certificate counts."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def wrap_socket(
        self, raw: socket.socket, server_hostname: str, *, do_handshake_on_connect: bool = True
    ) -> socket.socket:
        self.names.append(server_hostname)
        timeout_s = raw.gettimeout()
        secured = Secured(fileno=raw.detach())
        secured.settimeout(timeout_s)
        return secured


def refuse_to_connect(address: str, port: int, timeout_s: float) -> socket.socket:
    raise AssertionError(f"connected to {address}")


def test_what_the_link_leads_to_comes_whole() -> None:
    with web_server(answer()) as (port, asked):
        assert fetcher(port).fetch("http://shop.example/a.jpg?size=1") == PHOTO

    assert asked[0].startswith(b"GET /a.jpg?size=1 HTTP/1.1\r\nHost: shop.example\r\n")


def test_no_credential_goes_along() -> None:
    with web_server(answer()) as (port, asked):
        fetcher(port).fetch("http://shop.example/a.jpg")

    sent = asked[0].lower()
    assert not [name for name in (b"cookie", b"authorization", b"referer", b"x-amz") if name in sent]


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",  # 127.0.0.1 as one number
        "0x7f000001",
        "0177.0.0.1",
        "0",
        "localhost",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "169.254.169.254",  # where a cloud keeps credentials
        "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",  # the same, through NAT64
        "[64:ff9b:1::a9fe:a9fe]",
        "[2002:7f00:1::]",  # 127.0.0.1 through 6to4
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[fec0::1]",  # what link-local was before, and what some networks still are
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[ff02::1]",
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_what_is_not_public_is_never_connected_to(host: str, scheme: str) -> None:
    """By this machine's own resolver, which reads every way to write an address."""
    with pytest.raises(CallerError, match=r"not public|not known|no host"):
        LinkFetcher(allows_http=True, resolve=resolve_host, connect=refuse_to_connect).fetch(f"{scheme}://{host}/a.jpg")


@pytest.mark.parametrize("addresses", [["127.0.0.1"], [PUBLIC, "10.0.0.1"], ["fe80::1%eth0"], [], ["no address"]])
def test_a_name_that_leads_anywhere_inside_is_refused(addresses: list[str]) -> None:
    fetching = LinkFetcher(resolve=lambda host, port: addresses, connect=refuse_to_connect)

    with pytest.raises(CallerError, match="not public"):
        fetching.fetch("https://rebinding.example/a.jpg")


def test_a_name_that_answers_otherwise_the_second_time_gains_nothing() -> None:
    answers = [[PUBLIC], ["127.0.0.1"]]
    reached: list[str] = []

    def connect(address: str, port: int, timeout_s: float) -> socket.socket:
        reached.append(address)
        raise OSError

    with pytest.raises(CallerError):
        LinkFetcher(resolve=lambda host, port: answers.pop(0), connect=connect).fetch("https://rebinding.example/")

    assert reached == [PUBLIC]
    assert len(answers) == 1


@pytest.mark.parametrize(
    "target", ["http://127.0.0.1/a", "https://localhost/", "//[::1]/", "file:///etc/passwd", "http://u:p@shop.example/"]
)
def test_a_redirect_is_checked_as_the_link_was(target: str) -> None:
    def resolve(host: str, port: int) -> list[str]:
        return [PUBLIC] if host == "shop.example" else resolve_host(host, port)

    with web_server(answer(b"", "302 Found", f"Location: {target}"), answer()) as (port, asked):
        fetching = LinkFetcher(allows_http=True, resolve=resolve, connect=fetcher(port).connect)
        with pytest.raises(CallerError):
            fetching.fetch("http://shop.example/a.jpg")

    assert len(asked) == 1


def test_redirects_are_followed_and_end() -> None:
    with web_server(answer(b"", "301 Moved", "Location: /b.jpg"), answer()) as (port, asked):
        assert fetcher(port).fetch("http://shop.example/a.jpg") == PHOTO
        assert asked[1].startswith(b"GET /b.jpg ")
    with web_server(*[answer(b"", "301 Moved", "Location: /again")] * 9) as (port, asked):
        with pytest.raises(CallerError, match="more than 3 times"):
            fetcher(port).fetch("http://shop.example/a.jpg")
        assert len(asked) == 4


@pytest.mark.parametrize(
    ("link", "told"),
    [
        ("http://shop.example/a.jpg", "https://"),
        ("ftp://shop.example/a.jpg", "https://"),
        ("file:///etc/passwd", "https://"),
        ("gopher://127.0.0.1:25/", "https://"),
        ("https://user:secret@shop.example/", "name or password"),
        ("https://@127.0.0.1/", "name or password"),
        ("https://shop.example:8443/", "port 8443"),
        ("https://shop.example:22/", "port 22"),
        ("https:///a.jpg", "no host"),
        ("https://shop.example\\@127.0.0.1/", "backslash"),
        ("https://shop.example/a b.jpg", "space"),
        ("https://shop.example/\r\nX: y", "space"),
        ("https://shöp.example/", "character"),
        ("https://shop.example:x/", "not a web address"),
        ("https://shop.example/" + "a" * 3000, "limit is 2,048"),
    ],
)
def test_a_link_that_is_none_is_refused_without_asking_anybody(link: str, told: str) -> None:
    def resolve(host: str, port: int) -> list[str]:
        raise AssertionError(host)

    with pytest.raises(CallerError, match=told):
        LinkFetcher(resolve=resolve, connect=refuse_to_connect).fetch(link)


def test_more_bytes_than_the_limit_are_not_read(subtests: pytest.Subtests) -> None:
    told = answer(b"x" * 200)
    untold = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 200
    for body in (told, untold):
        with subtests.test(body[:40]), web_server(body) as (port, _):
            with pytest.raises(ImageRejected) as rejected:
                fetcher(port).fetch("http://shop.example/a.jpg", limit_bytes=100)
            assert rejected.value.reason is RejectReason.BYTES


@pytest.mark.parametrize(
    ("status", "reason"),
    [("404 Not Found", RejectReason.MISSING), ("403 Forbidden", RejectReason.DENIED), ("401 No", RejectReason.DENIED)],
)
def test_what_is_not_there_or_not_for_everybody_has_its_reason(status: str, reason: RejectReason) -> None:
    with web_server(answer(b"", status)) as (port, _), pytest.raises(ImageRejected) as rejected:
        fetcher(port).fetch("http://shop.example/a.jpg")

    assert rejected.value.reason is reason


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 500 Oops\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nxx",
        b"HTTP/1.1 302 Found\r\nLocation: http://[broken\r\n\r\n",
    ],
)
def test_a_host_that_is_no_web_server_is_the_callers_mistake(said: bytes) -> None:
    with web_server(said) as (port, _), pytest.raises(CallerError):
        fetcher(port).fetch("http://shop.example/a.jpg")


def test_a_trickle_ends_with_the_time() -> None:
    began_s = time.monotonic()
    with web_server(answer(b"x" * 1000), seconds_between_bytes=0.05) as (port, _):
        with pytest.raises(CallerError, match=r"more than 0\.3 s"):
            fetcher(port, limit_s=0.3).fetch("http://shop.example/a.jpg")
        assert time.monotonic() - began_s < 5


def slow(step: Callable[..., Any], seconds: float) -> Callable[..., Any]:
    """What does the same, later."""

    def wait(*args: Any) -> Any:
        time.sleep(seconds)
        return step(*args)

    return wait


def test_after_a_slow_name_nobody_is_connected_to() -> None:
    whole = LinkFetcher(limit_s=0.1, resolve=slow(lambda host, port: [PUBLIC], 0.3), connect=refuse_to_connect)

    with pytest.raises(CallerError, match=r"more than 0\.1 s"):
        whole.fetch("https://shop.example/a.jpg")


def test_a_connection_that_came_too_late_is_asked_nothing() -> None:
    """The time is over before there is a connection that could be cut."""
    with web_server(answer(b"x" * 1000), seconds_between_bytes=0.05) as (port, asked):
        whole = fetcher(port, limit_s=0.1)
        with pytest.raises(CallerError, match=r"more than 0\.1 s"):
            replace(whole, connect=slow(whole.connect, 0.3)).fetch("http://shop.example/a.jpg")
    assert not any(asked)


def test_a_handshake_that_never_ends_is_cut() -> None:
    """The server begins a handshake, a byte at a time, so that no timeout of a single read ever comes."""
    began_s = time.monotonic()
    greeting = b"\x16\x03\x03\x3f\xff" + b"\x02" * 1000  # a record of 16 KiB that is on its way
    with web_server(greeting, seconds_between_bytes=0.05) as (port, _):
        fetching = replace(fetcher(port, limit_s=0.3), tls=ssl.create_default_context())
        with pytest.raises(CallerError, match=r"more than 0\.3 s"):
            fetching.fetch("https://shop.example/a.jpg")
        assert time.monotonic() - began_s < 5


def test_what_is_secured_too_late_is_asked_nothing() -> None:
    """The connection that could be cut has become another one meanwhile."""

    class SlowTls(Tls):
        def wrap_socket(self, raw: socket.socket, **options: Any) -> socket.socket:
            wrapped = super().wrap_socket(raw, **options)
            time.sleep(0.4)
            return wrapped

    with web_server(answer()) as (port, asked), pytest.raises(CallerError, match=r"more than 0\.2 s"):
        replace(fetcher(port, limit_s=0.2), tls=SlowTls()).fetch("https://shop.example/a.jpg")
    assert not any(asked)


def test_a_photo_of_untold_length_that_is_cut_is_not_taken_for_whole() -> None:
    trickle = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1000
    with web_server(trickle, seconds_between_bytes=0.02) as (port, _):
        fetching = fetcher(port, limit_s=0.8)
        with pytest.raises(CallerError, match=r"more than 0\.8 s"):
            fetching.fetch("http://shop.example/a.jpg")


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:93.184.216.34"])
def test_what_is_public_is_known_as_such(address: str) -> None:
    assert is_public(address)


def test_a_secure_link_is_secured_by_the_hosts_own_name() -> None:
    tls = Tls()
    with web_server(answer()) as (port, _):
        assert replace(fetcher(port), tls=tls).fetch("https://shop.example/a.jpg") == PHOTO
    assert tls.names == ["shop.example"]
