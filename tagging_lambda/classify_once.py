"""The verb classify: one photo, by its bytes or by where it lies, and what each model that was asked sees in it."""

from __future__ import annotations

import base64
import hashlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import CallerError, ImageRejected, RejectReason
from pipeline.http_event import Answer, json_answer, text_in
from pipeline.images import MAX_IMAGE_BYTES, SCHEME, FetchedImage, ImageRef
from tagging_lambda.image.picture import model_input
from tagging_lambda.words.taxonomy import strongest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from pipeline.http_event import Request, Route
    from pipeline.keywords import Vocabulary
    from pipeline.ports import ImageStore
    from tagging_lambda.classify import Classification, Classifier
    from tagging_lambda.image.reader import Reader
    from tagging_lambda.link import LinkFetcher
    from tagging_lambda.words.keyword_mapper import KeywordMapper

CLASSES_SHOWN = 5
MOST_MODELS = 4  # asked at once, chosen by us: they stand side by side on a page
MAX_BASE64_CHARACTERS = -(-MAX_IMAGE_BYTES // 3) * 4


@dataclass(frozen=True, slots=True)
class SeeingModel:
    """A model that is ready to look, with the keywords that its classes lead to."""

    reader: Reader
    classifier: Classifier
    mapper: KeywordMapper


@dataclass
class Models:
    """The models that are installed, by name, the first of which answers where none is named. Each loads when asked."""

    names: tuple[str, ...]
    load: Callable[[str], SeeingModel]
    _loaded: dict[str, SeeingModel] = field(default_factory=dict, repr=False)

    def named(self, name: str) -> SeeingModel:
        """Return the model of that name.

        Raises:
            CallerError: there is none.
        """
        if name not in self.names:
            raise CallerError(f"no model is called {name!r}; there are {', '.join(self.names)}")
        if name not in self._loaded:
            self._loaded[name] = self.load(name)
        return self._loaded[name]


@dataclass(frozen=True)
class PhotoSource:
    """Where the bytes of a photo come from: the request itself, the web, or buckets that are the shop's."""

    links: LinkFetcher
    images: ImageStore
    buckets: Collection[str]

    def photo(self, request: Request) -> bytes:
        """Return the photo that the request holds or names.

        Raises:
            CallerError: it holds and names none.
            ImageRejected: what it names is not there, not ours to read, or too large.
        """
        if request.media_type.startswith("image/") or request.media_type == "application/octet-stream":
            return request.body
        document = request.document()
        if ("image" in document) == ("link" in document):
            raise CallerError("send a photo as the body (Content-Type: image/jpeg), or JSON with either image or link")
        if "image" in document:
            return _decoded(text_in(document, "image", MAX_BASE64_CHARACTERS))
        link = text_in(document, "link", MAX_BASE64_CHARACTERS)
        return self._of_bucket(ImageRef.parse(link)) if link.startswith(SCHEME) else self.links.fetch(link)

    def _of_bucket(self, image: ImageRef) -> bytes:
        if image.bucket not in self.buckets:  # refused before anything is asked, so that no name can be tried out
            raise ImageRejected(RejectReason.DENIED, "the link names a bucket that is not the catalogue's")
        found = self.images.fetch(image, None, MAX_IMAGE_BYTES)
        if not isinstance(found, FetchedImage):
            raise ImageRejected(RejectReason.MISSING, "there is no photo of this name in the bucket")
        return found.data


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text.partition("base64,")[2] or text, validate=True)
    except ValueError as error:  # a letter beyond ASCII is no binascii.Error
        raise CallerError("'image' is not base64") from error


def make_routes(
    models: Models,
    source: PhotoSource,
    vocabulary: Vocabulary,
    clock_s: Callable[[], float] = time.perf_counter,
) -> Mapping[str, Route]:
    """Return what answers the routes: POST /classify looks at one photo, GET /models says who can."""

    def classify(request: Request) -> Answer:
        began_s = clock_s()
        asked = _asked_models(request, models)
        language = asked_language(request, vocabulary)
        data = source.photo(request)
        answers = []
        for name in asked:
            at_s = clock_s()
            model = models.named(name)
            picture = model.reader.read(data)
            seen_by = model.classifier.classify(model_input(picture, model.classifier.card.input)[None])[0]
            answer = _answer(name, model, seen_by, language)
            answers.append(answer | {"milliseconds": _milliseconds(clock_s() - at_s)})
        seen = {
            "sha256": hashlib.sha256(data).hexdigest(),
            "width_pixels": picture.width_pixels,
            "height_pixels": picture.height_pixels,
            "low_information": picture.low_information,
            "language": language,
        }
        several = {"models": answers} if "models" in request.query else {}
        whole = {**answers[0], **seen, "milliseconds": _milliseconds(clock_s() - began_s), **several}
        return json_answer(whole)

    def list_models(request: Request) -> Answer:
        del request
        return json_answer({"models": [_described(name, models.named(name)) for name in models.names]})

    return {"POST /classify": classify, "GET /models": list_models}


def _asked_models(request: Request, models: Models) -> tuple[str, ...]:
    named = request.query.get("models")
    if named is None:
        return models.names[:1]
    asked = tuple(dict.fromkeys(name.strip() for name in named.split(",") if name.strip()))
    if not 1 <= len(asked) <= MOST_MODELS:
        raise CallerError(f"models names {len(asked):,} models; 1 to {MOST_MODELS} can be asked at once")
    for name in asked:
        models.named(name)
    return asked


def asked_language(request: Request, vocabulary: Vocabulary) -> str:
    """Return the language that words are asked for in.

    Raises:
        CallerError: the vocabulary has no words in it.
    """
    language = request.query.get("language") or vocabulary.languages[0]
    if language not in vocabulary.languages:
        raise CallerError(f"there are no words in the language {language!r}, only in {', '.join(vocabulary.languages)}")
    return language


def _answer(name: str, model: SeeingModel, answer: Classification, language: str) -> dict[str, Any]:
    classes, nodes = model.classifier.card.classes, model.mapper.vocabulary.nodes
    scores = answer.scores
    best = np.argsort(-scores, kind="stable")[:CLASSES_SHOWN].tolist()
    keywords = model.mapper.keywords(strongest(scores), answer.vector)
    return {
        "model": name,
        "model_version": model.classifier.card.version,
        "taxonomy_version": model.mapper.version,
        "classes": [
            {"class_index": each, "class": classes[each].name, "score": round(float(scores[each]), 4)} for each in best
        ],
        "keywords": [
            {
                "keyword": nodes[tag.keyword_id].name(language),
                "id": tag.keyword_id,
                "score": tag.score,
                "source": str(tag.source),
            }
            for tag in keywords
        ],
    }


def _described(name: str, model: SeeingModel) -> dict[str, Any]:
    card = model.classifier.card
    return {
        "model": name,
        "model_version": card.version,
        "precision": card.served,
        "classes": [each.name for each in card.classes],
    }


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 1)
