"""The client says each answer as a value and each problem as an error, over real HTTP."""

from __future__ import annotations

import json
import re
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import pytest

from pipeline.aws.clients import signed_headers
from pipeline.errors import CallerError, Denied, PageGone, RetryLater
from pipeline.http import client as requests
from pipeline.http.catalogue import KeywordRating
from pipeline.http.client import AsyncCatalogClient, CatalogClient
from pipeline.http.document import load_document
from pipeline.images import ImageRef
from pipeline.memory.files import MemoryFiles
from pipeline.ratings import Verdict
from pipeline.records import DecisionKind
from tests.results_sink.asking import Asker
from tests.results_sink.small_shop import exported

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Gateway(BaseHTTPRequestHandler):
    """Hands requests to the API as API Gateway does, or answers what it was told to; ``cut`` bytes, if it is set."""

    asker: Asker
    told: tuple[int, bytes] | None = None
    cut: int | None = None
    seen: list[dict[str, str]]

    def do_GET(self) -> None:
        """Answer a request without a body."""
        if self.cut == 0:
            self.close_connection = True  # not a byte of an answer
        else:
            self._answer(b"")

    def do_POST(self) -> None:
        """Answer a request with a body."""
        self._answer(self.rfile.read(int(self.headers["content-length"])))

    def _answer(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.seen.append(headers)
        if self.told:
            status, said = self.told
        else:
            status, said = self.asker.raw(self.command, path, query, body, headers)
        self.send_response(status)
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said[: self.cut])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[type[Gateway]]:
    files = MemoryFiles()
    exported(files, tmp_path)

    class Here(Gateway):
        asker, seen = Asker(files, tmp_path), []

    with HTTPServer(("127.0.0.1", 0), Here) as server:
        Here.address = f"http://127.0.0.1:{server.server_port}"
        Thread(target=server.serve_forever, daemon=True).start()
        yield Here
        server.shutdown()


@pytest.fixture
def client(gateway: type[Gateway]) -> CatalogClient:
    return CatalogClient(gateway.address, None)


def test_a_search_is_a_page_and_all_its_results_come_page_by_page(client: CatalogClient) -> None:
    page = client.search("Stiefel", by="image", limit=2, language="de", least=0.1)

    assert (page.total, page.results[0].score, page.results[0].keywords[0].keyword) == (3, 0.9, "Cowboystiefel")
    assert (
        client.search("Stiefel", by="image", limit=2, language="de", least=0.1, cursor=page.next or "").results[0].score
        == 0.55
    )
    assert [each.product for each in client.results("boot")] == ["boot", "both"]


PHOTO = ImageRef("shop", "shoes/1 é.jpg")
FILTERS = {"needs_a_look": True, "source": "model"}
CALLS = {
    "search": requests.search(
        "boot",
        by="image",
        least=0.5,
        limit=2,
        facets=3,
        language="de",
        cursor="c",
        sort="image",
        reason="corrupt",
        text="alpine",
        colour="red",
        rule="google:blurred",
        contradicted=False,
        since=date(2026, 1, 2),
        until=date(2026, 1, 3),
        **FILTERS,
    ),
    "suggest": requests.suggest("bo", language="de", limit=1, completes="query", **FILTERS),
    "precision": requests.precision(0.9, q="boot", language="de", rule="google", contradicted=True, **FILTERS),
    "image": requests.image(PHOTO, language="de"),
    "product": requests.product("a/b", language="de"),
    "similar_products": requests.similar_products("a/b", limit=1, language="de"),
    "similar_images": requests.similar_images(image=PHOTO, language="de"),
    "same_photos": requests.same_photos(PHOTO, [PHOTO]),
    "products": requests.products(["a"], language="de"),
    "keywords": requests.keywords(),
    "health": requests.health(),
    "status": requests.status(),
    "photo_addresses": requests.photos([PHOTO]),
    "thumbnail": requests.thumbnail(PHOTO, 320),
    "given_ratings": requests.ratings(PHOTO),
    "rate_keywords": requests.rate(
        [KeywordRating(image=str(PHOTO), keyword="boot", verdict=Verdict.RIGHT, model_version="1")]
    ),
    "decide_keywords": requests.decide([(PHOTO, "boot", DecisionKind.PIN)]),
    "list_models": requests.models(),
    "classify_photo": requests.classify(b"photo", models=["float32"], language="de"),
    "announce_upload": requests.announce("a.jpg", "image/jpeg", 10),
    "replace_upload": requests.replace_upload(PHOTO, "a.jpg", "image/jpeg", 10),
    "remove_upload": requests.remove_upload(PHOTO),
}


def test_every_operation_of_the_document_has_a_request_with_all_of_its_parameters() -> None:
    by_path = [(path, *item) for path, by in json.loads(load_document())["paths"].items() for item in by.items()]

    assert {operation["operationId"] for _, _, operation in by_path} == set(CALLS)
    for path, method, operation in by_path:
        request = CALLS[operation["operationId"]]
        sent_path, _, query = request.path.partition("?")
        assert request.method == method.upper()
        assert re.fullmatch(re.sub(r"\{\w+\}", "[^?]+", path), sent_path), path
        taken = {parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "query"}
        assert set(parse_qs(query)) == taken, path


def test_both_clients_send_every_request() -> None:
    returned = {name: getattr(value, "__annotations__", {}).get("return", "") for name, value in vars(requests).items()}
    builders = {name for name, model in returned.items() if str(model).startswith("ApiRequest")}

    assert len(builders) > len(CALLS)
    assert builders - set(vars(CatalogClient)) == builders - set(vars(AsyncCatalogClient)) == {"_post", "_form"}


def test_a_thumbnail_is_its_file(gateway: type[Gateway], client: CatalogClient) -> None:
    gateway.told = (200, b"RIFF....WEBP")

    assert client.thumbnail(PHOTO, 320) == b"RIFF....WEBP"


def test_lookups_are_values_and_what_is_not_known_is_none(client: CatalogClient) -> None:
    image = client.image(ImageRef("shop", "crane é.jpg"))
    product = client.product("boot")

    assert image is not None
    assert image.keywords[0].source == "human"
    assert product is not None
    assert len(product.images) == 2
    assert client.image(ImageRef("shop", "never.png")) is None
    assert client.product("no such thing") is None
    assert client.products(["boot", "x"]).missing == ["x"]


def test_words_the_taxonomy_and_health_are_told(client: CatalogClient) -> None:
    assert [each.word for each in client.suggest("stie", language="de").suggestions] == ["Stiefel"]
    assert "boot" in {each.id for each in client.keywords().keywords}
    assert client.health().snapshot == "20260301T120000.000000Z-id0"


def test_a_mistake_is_an_error_in_the_words_of_its_problem(client: CatalogClient) -> None:
    with pytest.raises(CallerError, match="column 9: the query ends where a word is needed"):
        client.search("boot AND")
    with pytest.raises(CallerError, match=r"query.limit: Input should be less than or equal to 100"):
        client.search("boot", limit=1000)


@pytest.mark.parametrize(
    ("told", "error", "said"),
    [
        ((410, b'{"detail": "the snapshot x is gone"}'), PageGone, "the snapshot x is gone"),
        ((403, b'{"message":"Forbidden"}'), Denied, r"http://127.0.0.1:\d+/v1/healthz answers 403"),
        ((401, b'{"message":"Unauthorized"}'), Denied, "answers 401"),
        ((429, b'{"message":"Too Many Requests"}'), RetryLater, "answers 429"),
        ((503, b'{"detail": "ask again"}'), RetryLater, "ask again"),
        ((500, b"not even JSON"), RetryLater, "answers 500"),
        ((404, b'{"message":"Not Found"}'), CallerError, "answers 404"),
    ],
)
def test_each_answer_that_is_none_has_its_error(
    gateway: type[Gateway], client: CatalogClient, told: tuple, error: type, said: str
) -> None:
    gateway.told = told

    with pytest.raises(error) as raised:
        client.health()
    assert type(raised.value) is error
    assert re.search(said, str(raised.value))


@pytest.mark.parametrize(
    ("told", "cut", "said"),
    [
        ((200, b"{}"), 0, "disconnected without sending a response"),
        ((200, b'{"status":"ok"}'), 4, "peer closed connection without sending complete message body"),
        ((503, b'{"detail":"ask again"}'), 4, "peer closed connection"),
        ((200, b"<html>Sign in to this network</html>"), None, "the answer is not a Health"),
        ((200, b'{"mood":"good"}'), None, "the answer is not a Health"),
    ],
)
def test_an_answer_that_is_cut_off_or_somebody_elses_may_come_later(
    gateway: type[Gateway], client: CatalogClient, told: tuple, cut: int | None, said: str
) -> None:
    gateway.told, gateway.cut = told, cut

    with pytest.raises(RetryLater, match=said):
        client.health()


def test_what_a_later_api_adds_is_passed_over(gateway: type[Gateway], client: CatalogClient) -> None:
    gateway.told = (200, b'{"status":"ok","snapshot":null,"changes":0,"vocabulary_version":"1","mood":"good"}')

    assert client.health().snapshot is None


def test_an_api_that_is_not_there_may_be_later() -> None:
    with pytest.raises(RetryLater, match=r"http://127.0.0.1:1/v1/healthz"):
        CatalogClient("http://127.0.0.1:1", None).health()


def test_requests_are_signed_unless_they_go_to_the_local_run(
    gateway: type[Gateway], aws_environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    CatalogClient(gateway.address).products(["boot"])
    CatalogClient(gateway.address, None).products(["boot"])
    signed, plain = gateway.seen

    scope = r"AWS4-HMAC-SHA256 Credential=\w+/\d{8}/eu-central-1/execute-api/aws4_request, SignedHeaders="
    assert re.match(scope, signed["authorization"])
    assert "authorization" not in plain


def test_without_credentials_nothing_is_asked(aws_environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY", raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    with pytest.raises(Denied, match="no AWS credentials were found to sign the request to http://x/"):
        signed_headers("GET", "http://x/", {}, b"")
