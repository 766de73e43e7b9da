"""Every route of every function as one, in memory: the small shop, and two models that know their photo."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from catalog_loader import upload_route
from pipeline.clock import utc_now
from pipeline.errors import ImageRejected
from pipeline.http.resolver import Resolver, make_http_handler
from pipeline.images import ImageRef
from pipeline.keywords import Vocabulary
from pipeline.memory.files import MemoryFiles
from pipeline.memory.images import MemoryImages
from pipeline.memory.photo_addresses import MemoryAddresses
from pipeline.memory.queue import MemoryQueue
from pipeline.memory.ratings import MemoryRatings
from pipeline.memory.watchers import MemoryWatchers
from pipeline.reject_reasons import RejectReason
from results_sink.http import api, photos, ratings, status
from results_sink.search.newest import ExportReader
from results_sink.search.snapshot import Downloaded
from tagging_lambda import classify_route, same_photos, thumbnails
from tagging_lambda.classify import Classification
from tagging_lambda.curate import decide_route
from tagging_lambda.curate.rewrite import Rewriter
from tagging_lambda.image.picture import Picture
from tagging_lambda.image.same_photo import PhotoPrint
from tagging_lambda.link import LinkFetcher
from tagging_lambda.model_card import InputContract, ModelClass
from tagging_lambda.recorded_photos import RecordedPhotos
from tagging_lambda.words.classes_and_heads import KeywordMapper
from tests.results_sink.small_shop import exported, small_shop, small_vocabulary, table_of

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.http.resolver import HttpHandler
    from pipeline.memory.table import MemoryTable

PHOTO = b"\xff\xd8 a photo \xff\xd9"
LINKED = ImageRef("shop", "linked.jpg")
BUCKETS = ("shop",)
WEBP = b"RIFF\xff\x00\x00\x00WEBP"
_ONE_PRINT = PhotoPrint.of(np.random.default_rng(1).integers(0, 255, (96, 96, 3)).astype(np.uint8))
SHOE, CAMERA = "n04120489", "n04069434"


class PhotoReader:
    """Reads the one photo there is, and rejects the rest as the real reader does."""

    def read(self, data: bytes) -> Picture:
        """Return the photo."""
        if data != PHOTO:
            raise ImageRejected(RejectReason.NOT_IMAGE, "the first bytes are not those of a picture")
        return Picture(np.zeros((8, 8, 3), np.uint8), 640, 480, low_information=False)


@dataclass
class TwoClassCard:
    """What classification on demand reads of a card."""

    version: str
    served: str = "int8"
    input: InputContract = field(
        default_factory=lambda: InputContract(8, 8, "RGB", "NCHW", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "crop", 8)
    )
    classes: tuple[ModelClass, ...] = (ModelClass(0, SHOE, "running shoe"), ModelClass(1, CAMERA, "reflex camera"))


@dataclass
class TwoClassClassifier:
    """Answers the same, whatever it sees."""

    card: TwoClassCard
    scores: tuple[float, float]
    projection: None = None

    def classify(self, pixels: Any) -> list[Classification]:
        """Return the scores for each photo."""
        return [Classification(np.array(self.scores, np.float32), np.zeros(4, np.float32)) for _ in pixels]


def whole_api(work: Path) -> HttpHandler:
    """Return one handler of every route; what it would warn of is an error."""
    files, table, vocabulary = MemoryFiles(), table_of(small_shop()), small_vocabulary()
    exported(files, work)
    newest = ExportReader(
        files, Downloaded(files, "the export", work / "copies"), "the export", vocabulary, lambda: 0.0
    )
    app = Resolver(_fail)
    api.add_routes(app, api.Api(table, newest, vocabulary))
    photos.add_routes(app, photos.CataloguePhotos(MemoryAddresses(), table, BUCKETS))
    ratings.add_routes(app, ratings.KeywordRatingStore(MemoryRatings(), table, vocabulary, BUCKETS, utc_now))
    status.add_routes(
        app, status.TaggingStatus(table, [status.TaggingQueue("uploads", MemoryQueue(), MemoryQueue())], utc_now)
    )
    uploads = upload_route.Uploads(
        "shop", MemoryAddresses(), MemoryImages(), MemoryWatchers(), utc_now, secrets.token_hex, 10
    )
    upload_route.add_routes(app, uploads)
    rewriter = Rewriter(table, ThreadPoolExecutor(1))
    decide_route.add_routes(app, decide_route.DecisionWriter(rewriter, vocabulary, utc_now))
    classify_route.add_routes(app, _classifier())
    recorded = RecordedPhotos(table, _photos_of(table), BUCKETS)
    thumbnails.add_routes(app, thumbnails.Thumbnails(recorded, MemoryFiles(), lambda data, size: WEBP))
    same_photos.add_routes(app, same_photos.PhotoComparison(recorded, lambda data: _ONE_PRINT))
    return make_http_handler(app)


def _photos_of(table: MemoryTable) -> MemoryImages:
    """Return a photo for each image of the table, all the same."""
    images = MemoryImages()
    for image in table.records:
        images.put(image, PHOTO)
    return images


def _classifier() -> classify_route.PhotoClassifier:
    vocabulary = Vocabulary.load()
    mapper = KeywordMapper.of(vocabulary, [SHOE, CAMERA])
    scores = {"default": (0.9, 0.1), "other": (0.2, 0.8)}

    def load(name: str) -> Any:
        classifier = TwoClassClassifier(TwoClassCard(f"v-{name}"), scores[name])
        return classify_route.LoadedModel(PhotoReader(), classifier, mapper)

    images = MemoryImages()
    images.put(LINKED, PHOTO)
    links = LinkFetcher(resolve=lambda host, port: ["127.0.0.1"])  # no link leads out of a test
    source = classify_route.PhotoSource(links, images, BUCKETS)
    return classify_route.PhotoClassifier(classify_route.Models(tuple(scores), load), source, vocabulary)


def _fail(text: str) -> None:
    raise AssertionError(text)
