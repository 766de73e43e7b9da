"""Classification on demand: one photo, given as bytes or as a link, classified by each of the requested models."""

import base64
import hashlib
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from typing import Annotated, Any

import numpy as np
from aws_lambda_powertools.event_handler.openapi.params import Query

from pipeline.errors import CallerError, ImageRejected
from pipeline.http.classification import (
    MAX_MODELS,
    ClassifiedPhoto,
    ModelAnswer,
    ModelDescription,
    ModelList,
    PhotoReference,
)
from pipeline.http.models import Language, ProblemCode
from pipeline.http.problems import parse_body, wrong_type
from pipeline.http.resolver import Resolver, Tag
from pipeline.images import MAX_IMAGE_BYTES, SCHEME, FetchedImage, ImageRef
from pipeline.keyword_names import KeywordNames
from pipeline.keywords import LANGUAGES, Vocabulary
from pipeline.ports import ImageStore
from pipeline.records import ClassScore
from pipeline.reject_reasons import RejectReason
from tagging_lambda.classify import Classification, Classifier
from tagging_lambda.image.picture import Picture, model_input
from tagging_lambda.image.reader import Reader
from tagging_lambda.link import LinkFetcher
from tagging_lambda.words.class_keywords import strongest
from tagging_lambda.words.classes_and_heads import KeywordMapper

CLASSES_SHOWN = 5
BINARY, FORM, JSON = "application/octet-stream", "multipart/form-data", "application/json"
READ_TYPES = f"image/* or {BINARY} with the photo, {FORM} with the field 'image', or {JSON} with 'image' or 'link'"


ModelNames = Annotated[
    str | None,
    Query(
        max_length=1_000, description=f"Names of 1 to {MAX_MODELS} models, separated by commas.", examples=["default"]
    ),
]
REQUEST_BODY = {
    "required": True,
    "content": {
        "image/*": {"schema": {"type": "string", "format": "binary"}},
        BINARY: {"schema": {"type": "string", "format": "binary"}},
        FORM: {
            "schema": {
                "type": "object",
                "properties": {"image": {"type": "string", "format": "binary"}},
                "required": ["image"],
            }
        },
        JSON: {"schema": PhotoReference.model_json_schema(), "example": {"link": "https://shop.example/shoe.jpg"}},
    },
}


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A loaded model, with the mapping from its classes to keywords."""

    reader: Reader
    classifier: Classifier
    mapper: KeywordMapper


@dataclass
class Models:
    """The installed models by name; the first is the default. Each is loaded when it is first used."""

    names: tuple[str, ...]
    load: Callable[[str], LoadedModel]
    _loaded: dict[str, LoadedModel] = field(default_factory=dict, repr=False)

    def named(self, name: str) -> LoadedModel:
        """Return the model of that name.

        Raises:
            CallerError: there is none.
        """
        if name not in self.names:
            raise CallerError(f"there is no model {name!r}; choose from {', '.join(self.names)}")
        if name not in self._loaded:
            self._loaded[name] = self.load(name)
        return self._loaded[name]


@dataclass(frozen=True)
class PhotoSource:
    """Where the bytes of a photo come from: the request itself, the web, or the shop's own buckets."""

    links: LinkFetcher
    images: ImageStore
    buckets: Collection[str]

    def photo(self, media_type: str, content_type: str, body: bytes) -> bytes:
        """Return the photo that the body is, contains or links to.

        Args:
            media_type: the body's media type, without parameters.
            content_type: the same with its parameters.
            body: the bytes.

        Raises:
            CallerError: it neither contains nor links to one.
            RequestUnsupportedContentType: its type is not supported.
            ImageRejected: the linked photo does not exist, may not be read, or is too large.
        """
        if media_type.startswith("image/") or media_type == BINARY:
            return body
        if media_type == FORM:
            return _photo_in_form(content_type, body)
        if media_type == JSON:
            return self._referenced(parse_body(PhotoReference, body))
        raise wrong_type(media_type, READ_TYPES)

    def _referenced(self, reference: PhotoReference) -> bytes:
        if (reference.image is None) == (reference.link is None):
            raise CallerError("the body must have either 'image', the photo in base64, or 'link'")
        if reference.image is not None:
            return _decoded(reference.image)
        link = reference.link or ""
        return self._of_bucket(ImageRef.parse(link)) if link.startswith(SCHEME) else self.links.fetch(link)

    def _of_bucket(self, image: ImageRef) -> bytes:
        if image.bucket not in self.buckets:  # refused before any request, so that nobody can probe for names
            raise ImageRejected(RejectReason.DENIED, "the link names a bucket that is not the catalogue's")
        fetched = self.images.fetch(image, None, MAX_IMAGE_BYTES)
        if not isinstance(fetched, FetchedImage):
            raise ImageRejected(RejectReason.MISSING, "there is no photo of this name in the bucket")
        return fetched.data


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text.partition("base64,")[2] or text, validate=True)
    except ValueError as error:  # binascii.Error, or a character beyond ASCII
        raise CallerError("'image' is not base64") from error


def _photo_in_form(content_type: str, body: bytes) -> bytes:
    """Return the field ``image`` of a multipart form (RFC 7578), parsed by the standard library's email parser."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode("ascii", "replace")
    form = message_from_bytes(head + body, policy=policy.HTTP)
    for part in form.iter_parts() if form.is_multipart() else ():
        if part.get_param("name", header="content-disposition") == "image":
            payload = part.get_payload(decode=True)
            return payload if isinstance(payload, bytes) else b""
    raise CallerError("the form has no field 'image', or its Content-Type names no boundary")


@dataclass(frozen=True)
class PhotoClassifier:
    """Classifies one photo with each of the requested models."""

    models: Models
    source: PhotoSource
    vocabulary: Vocabulary
    clock_s: Callable[[], float] = time.perf_counter

    def choose(self, names: str | None) -> tuple[str, ...]:
        """Return the names of the requested models: the first installed one if ``names`` is None.

        Raises:
            CallerError: none or too many are named, or one that is not installed.
        """
        if names is None:
            return self.models.names[:1]
        chosen = tuple(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
        if not 1 <= len(chosen) <= MAX_MODELS:
            raise CallerError(f"models names {len(chosen):,} models; one request takes 1 to {MAX_MODELS}")
        for name in chosen:
            self.models.named(name)
        return chosen

    def classify(self, data: bytes, models: tuple[str, ...], language: str) -> tuple[Picture, list[ModelAnswer]]:
        """Return the decoded photo, and what each of the models sees in it.

        Raises:
            ImageRejected: it cannot be read.
        """
        names = KeywordNames.in_language(self.vocabulary, language)
        answers = []
        for name in models:
            began_s = self.clock_s()
            model = self.models.named(name)
            picture = model.reader.read(data)
            pixels = model_input([picture], model.classifier.card.input)
            classification = model.classifier.classify(pixels)[0]
            document = _model_document(name, model, classification, names)
            milliseconds = _milliseconds(self.clock_s() - began_s)
            answers.append(ModelAnswer.model_validate({**document, "milliseconds": milliseconds}))
        return picture, answers


def add_routes(app: Resolver, classifier: PhotoClassifier) -> None:
    """Let the app answer POST /classify and GET /models."""

    @app.operation(
        "POST",
        "/classify",
        tag=Tag.CLASSIFY,
        problems=[ProblemCode.PHOTO_REJECTED, ProblemCode.UNSUPPORTED_MEDIA_TYPE],
        request_body=REQUEST_BODY,
    )
    def classify_photo(models: ModelNames = None, language: Language = LANGUAGES[0]) -> ClassifiedPhoto:
        """Return what is in one photo.

        Send the photo as the body, as the field `image` of a form, or as JSON with `image` (base64) or `link`.
        Nothing is stored.
        """
        began_s = classifier.clock_s()
        chosen = classifier.choose(models)
        KeywordNames.in_language(classifier.vocabulary, language)  # refuse a wrong language before fetching a link
        data = classifier.source.photo(app.media_type, app.header.get("content-type", ""), app.body())
        picture, answers = classifier.classify(data, chosen, language)
        first = answers[0].model_dump(by_alias=True)
        return ClassifiedPhoto.model_validate(
            {
                **first,
                "milliseconds": _milliseconds(classifier.clock_s() - began_s),
                "sha256": hashlib.sha256(data).hexdigest(),
                "width_pixels": picture.width_pixels,
                "height_pixels": picture.height_pixels,
                "low_information": picture.low_information,
                "language": language,
                "models": None if models is None else [answer.model_dump(by_alias=True) for answer in answers],
            }
        )

    @app.operation("GET", "/models", tag=Tag.CLASSIFY)
    def list_models() -> ModelList:
        """Return the installed models and their classes."""
        installed = classifier.models
        return ModelList(models=[_describe(name, installed.named(name)) for name in installed.names])


def _model_document(
    name: str, model: LoadedModel, classification: Classification, names: KeywordNames
) -> dict[str, Any]:
    classes, scores = model.classifier.card.classes, classification.scores
    best = np.argsort(-scores, kind="stable")[:CLASSES_SHOWN].tolist()
    return {
        "model": name,
        "model_version": model.classifier.card.version,
        "taxonomy_version": model.mapper.version,
        "classes": [ClassScore(index, float(scores[index])).document(classes[index].name) for index in best],
        "vector": classification.vector.pack_text() if classification.vector else None,
        "keywords": names.documents(model.mapper.keywords(strongest(scores), classification.vector)),
    }


def _describe(name: str, model: LoadedModel) -> ModelDescription:
    card = model.classifier.card
    classes = [model_class.name for model_class in card.classes]
    return ModelDescription(model=name, model_version=card.version, precision=card.served, classes=classes)


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 1)
