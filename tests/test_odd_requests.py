"""Whatever JSON is said to the functions that people meet, they answer: no value is one that nobody thought of."""

from __future__ import annotations

import json
import secrets
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog_loader import upload_route
from pipeline.clock import utc_now
from pipeline.errors import ImageRejected
from pipeline.images import ImageRef
from pipeline.keywords import KeywordTag, Vocabulary
from pipeline.memory.connections import MemoryConnections
from pipeline.memory.images import MemoryImages
from pipeline.memory.photo_addresses import MemoryAddresses
from pipeline.memory.ratings import MemoryRatings
from pipeline.memory.table import MemoryTable
from pipeline.memory.watchers import MemoryWatchers
from pipeline.records import Observation, TaggedImage
from pipeline.reject_reasons import RejectReason
from results_sink.http import photos, ratings
from results_sink.notify import Notifier, WatchAdmission, make_watch_handler
from tagging_lambda import classify_route
from tagging_lambda.curate import decide_route
from tagging_lambda.curate.rewrite import Rewriter
from tagging_lambda.link import LinkFetcher
from tests.api_caller import ApiCaller, caller_for

IMAGE, SHOE, BUCKETS = ImageRef("shop", "a.jpg"), "n04120489", ("shop",)
REQUESTS: dict[str, dict[str, Any]] = {  # what each route takes
    "photos": {"images": [str(IMAGE)]},
    "ratings": {"ratings": [{"image": str(IMAGE), "keyword": SHOE, "verdict": "missing", "model_version": "m"}]},
    "uploads": {"name": "a.jpg", "type": "image/jpeg", "size": 5},
    "decisions": {"decisions": [{"image": str(IMAGE), "keyword": SHOE, "decision": "pin"}]},
    "classify": {"image": "bm8gcGhvdG8="},
}
STATUSES = {"ratings": 201, "uploads": 201, "classify": 415}  # the last one is no photo
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
def caller() -> ApiCaller:
    """The functions that take JSON, as one, in memory."""
    table, now = MemoryTable(), utc_now()
    table.put(
        TaggedImage(Observation(IMAGE, "a", "upload", now, '"e"', now, "m", "t"), (KeywordTag(SHOE, 0.9),), (), 9, 9), 0
    )
    uploads = upload_route.Uploads(
        "shop", MemoryAddresses(), MemoryImages(), MemoryWatchers(), utc_now, secrets.token_hex, 10
    )
    links = LinkFetcher(resolve=lambda host, port: ["127.0.0.1"])
    models = classify_route.Models(("default",), lambda name: classify_route.LoadedModel(Unread(), None, None))
    source = classify_route.PhotoSource(links, MemoryImages(), BUCKETS)
    store = ratings.KeywordRatingStore(MemoryRatings(), table, VOCABULARY, BUCKETS, utc_now)
    writer = decide_route.DecisionWriter(Rewriter(table, ThreadPoolExecutor(1)), VOCABULARY, utc_now)
    return caller_for(
        lambda app: photos.add_routes(app, photos.CataloguePhotos(MemoryAddresses(), table, BUCKETS)),
        lambda app: ratings.add_routes(app, store),
        lambda app: upload_route.add_routes(app, uploads),
        lambda app: decide_route.add_routes(app, writer),
        lambda app: classify_route.add_routes(app, classify_route.PhotoClassifier(models, source, VOCABULARY)),
    )


@pytest.mark.parametrize("path", REQUESTS)
def test_what_is_meant_is_taken(caller: ApiCaller, path: str) -> None:
    assert caller.post(f"/v1/{path}", REQUESTS[path]).status == STATUSES.get(path, 200)


@pytest.mark.parametrize("path", REQUESTS)
@given(data=st.data())
def test_an_odd_value_in_any_place_is_answered(caller: ApiCaller, path: str, data: st.DataObject) -> None:
    request = deepcopy(REQUESTS[path])
    parts = [request, *(part for values in request.values() if isinstance(values, list) for part in values)]
    part = data.draw(st.sampled_from([part for part in parts if isinstance(part, dict)]))
    part[data.draw(st.sampled_from([*part, "link", "other"]))] = data.draw(ODD)

    assert caller.post(f"/v1/{path}", request).status < 500


@pytest.mark.parametrize("path", REQUESTS)
@given(document=ODD)
def test_an_odd_document_is_answered(caller: ApiCaller, path: str, document: Any) -> None:
    assert caller.post(f"/v1/{path}", document).status < 500


@given(ticket=ODD, language=ODD, whole=ODD)
def test_an_odd_message_lets_nobody_watch(ticket: Any, language: Any, whole: Any) -> None:
    connections = MemoryConnections({"theirs"})
    admission = WatchAdmission(Notifier(MemoryWatchers(), connections, VOCABULARY, utc_now), MemoryTable())
    watch = make_watch_handler(admission)

    for said in ({"ticket": ticket, "language": language}, whole):
        watch({"requestContext": {"connectionId": "theirs"}, "body": json.dumps(said)}, None)
    assert connections.sent == []
    assert connections.open == set()
