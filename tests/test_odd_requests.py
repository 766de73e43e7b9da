"""Whatever JSON is said to the functions that people meet, they answer: no value is one that nobody thought of."""

from __future__ import annotations

import json
import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog_loader import upload
from pipeline.clock import utc_now
from pipeline.errors import ImageRejected, RejectReason
from pipeline.http_event import make_http_handler
from pipeline.images import ImageRef
from pipeline.keywords import KeywordTag, Vocabulary
from pipeline.memory.connections import MemoryConnections
from pipeline.memory.images import MemoryImages
from pipeline.memory.photo_addresses import MemoryAddresses
from pipeline.memory.ratings import MemoryRatings
from pipeline.memory.table import MemoryTable
from pipeline.memory.watchers import MemoryWatchers
from pipeline.records import Observation, TaggedImage
from results_sink.http import photos, rate
from results_sink.notify import Notifier, Usher, make_watch_handler
from tagging_lambda import classify_once
from tagging_lambda.curate import decide_request
from tagging_lambda.curate.rewrite import Rewriter
from tagging_lambda.link import LinkFetcher

if TYPE_CHECKING:
    from pipeline.http_event import HttpHandler

IMAGE, SHOE, BUCKETS = ImageRef("shop", "a.jpg"), "n04120489", ("shop",)
SAID: dict[str, dict[str, Any]] = {  # what each route takes
    "POST /photos": {"images": [str(IMAGE)]},
    "POST /ratings": {"image": str(IMAGE), "keyword": SHOE, "verdict": "missing", "model_version": "m"},
    "POST /uploads": {"name": "a.jpg", "type": "image/jpeg", "size": 5},
    "POST /decisions": {"image": str(IMAGE), "keyword": SHOE, "decision": "pin"},
    "POST /classify": {"image": "bm8gcGhvdG8="},
}
TAKEN = {"POST /ratings": 201, "POST /uploads": 201, "POST /classify": 415}  # the last one is no photo
VOCABULARY = Vocabulary.load()
# Half a character, which JSON can spell; a letter beyond ASCII; an accent, a space and a control character alone.
LETTERS = st.text(max_size=80) | st.text(st.sampled_from("\ud800é\u0301 \x00#"), min_size=1, max_size=3)
TEXTS = LETTERS | LETTERS.map(lambda text: f"s3://shop/{text}") | LETTERS.map(lambda text: f"https://{text}")
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(LETTERS, inner, max_size=3),
    max_leaves=5,
)


class Unread:
    """Sees nothing: what is sent here is no photo."""

    def read(self, data: bytes) -> Any:
        raise ImageRejected(RejectReason.NOT_IMAGE, "the first bytes are not those of a picture")


@pytest.fixture(scope="module")
def handle() -> HttpHandler:
    """The functions that take JSON, as one, in memory."""
    table, now = MemoryTable(), utc_now()
    table.put(
        TaggedImage(Observation(IMAGE, "a", "upload", now, '"e"', now, "m", "t"), (KeywordTag(SHOE, 0.9),), (), 9, 9), 0
    )
    uploads = upload.Uploads("shop", MemoryAddresses(), MemoryWatchers(), utc_now, secrets.token_hex, 10)
    links = LinkFetcher(resolve=lambda host, port: ["127.0.0.1"])
    models = classify_once.Models(("default",), lambda name: classify_once.SeeingModel(Unread(), None, None))
    routes = {
        **photos.make_routes(photos.Photos(MemoryAddresses(), BUCKETS)),
        **rate.make_routes(rate.Rater(MemoryRatings(), VOCABULARY, BUCKETS, utc_now)),
        **upload.make_routes(uploads),
        **decide_request.make_routes(Rewriter(table, ThreadPoolExecutor(1)), VOCABULARY, utc_now),
        **classify_once.make_routes(models, classify_once.PhotoSource(links, MemoryImages(), BUCKETS), VOCABULARY),
    }
    return make_http_handler(routes, pytest.fail)


def status_of(handle: HttpHandler, route: str, said: Any) -> int:
    return int(handle({"routeKey": route, "body": json.dumps(said), "requestContext": {}}, None)["statusCode"])


@pytest.mark.parametrize("route", SAID)
def test_what_is_meant_is_taken(handle: HttpHandler, route: str) -> None:
    assert status_of(handle, route, SAID[route]) == TAKEN.get(route, 200)


@pytest.mark.parametrize("route", SAID)
@given(data=st.data())
def test_an_odd_value_in_any_place_is_answered(handle: HttpHandler, route: str, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([*SAID[route], "ratings", "link"]))

    assert status_of(handle, route, SAID[route] | {name: data.draw(ODD)}) < 500


@pytest.mark.parametrize("route", SAID)
@given(said=ODD)
def test_an_odd_document_is_answered(handle: HttpHandler, route: str, said: Any) -> None:
    assert status_of(handle, route, said) < 500


@given(ticket=ODD, language=ODD, whole=ODD)
def test_an_odd_message_lets_nobody_watch(ticket: Any, language: Any, whole: Any) -> None:
    connections = MemoryConnections({"theirs"})
    usher = Usher(Notifier(MemoryWatchers(), connections, VOCABULARY, utc_now), MemoryTable())
    watch = make_watch_handler(usher)

    for said in ({"ticket": ticket, "language": language}, whole):
        watch({"requestContext": {"connectionId": "theirs"}, "body": json.dumps(said)}, None)
    assert connections.sent == []
    assert connections.open == set()
