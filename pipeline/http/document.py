"""The API's one OpenAPI document: how it is made from a resolver with every route, and where it is stored."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from aws_lambda_powertools.event_handler.openapi.models import (
    APIKey,
    HTTPBearer,
    License,
    SecurityScheme,
    Server,
)
from aws_lambda_powertools.event_handler.openapi.models import Tag as DocumentTag

from pipeline.http.problems import MEDIA_TYPE
from pipeline.http.resolver import VERSION, Resolver, Tag
from pipeline.keywords import Vocabulary

# A file, because no function sees the routes of all stages (DECISIONS.md, 62).
DOCUMENT = Path(__file__).with_name("openapi.json")  # `catalog-tagger openapi` writes it; a test compares it
DESCRIPTION = """Keywords of product photos: search, lookups, classification on demand, uploads, and review.

Lookups see a write at once, searches within seconds. A wrong request is answered with a problem (RFC 9457),
whose `code` never changes. Parameters and fields that are not in this document are refused.
Answers to GET have an `ETag`. Results of uploads arrive through a WebSocket: see docs/websocket.md.
"""
_TAGS = {
    Tag.SEARCH: "Find products and images by keywords.",
    Tag.LOOKUP: "The records of images and products, and addresses of photos.",
    Tag.CLASSIFY: "What is in one photo, without storing anything.",
    Tag.UPLOAD: "Add a photo to the catalogue.",
    Tag.REVIEW: "People's decisions about keywords, and their ratings.",
    Tag.OPERATE: "The state of the system.",
}
SIGNED, BEARER = "aws_signature", "sign_in"
_VALIDATION_SCHEMAS = (
    "HTTPValidationError",
    "ValidationError",
    "ResponseValidationError",
)  # of Powertools: our problems stand in their place


def make_document(app: Resolver, languages: Sequence[str]) -> dict[str, Any]:
    """Return the OpenAPI document of the app's routes; the vocabulary has words in these languages."""
    schemes: dict[str, SecurityScheme] = {
        SIGNED: APIKey.model_validate(
            {
                "in": "header",
                "name": "Authorization",
                "description": "AWS Signature Version 4, service execute-api (ApiAuthorization=AWS_IAM, the default).",
            }
        ),
        BEARER: HTTPBearer(bearerFormat="JWT", description="An access token (ApiAuthorization=JWT)."),
    }
    text = app.get_openapi_json_schema(
        title="catalog-tagger",
        version=VERSION.removeprefix("/v"),
        description=DESCRIPTION,
        license_info=License(name="MIT"),
        servers=[Server(url=".", description="The host of this document.")],
        tags=[DocumentTag(name=str(tag), description=description) for tag, description in _TAGS.items()],
        security_schemes=schemes,
        security=[{SIGNED: []}, {BEARER: []}, {}],
    )
    document: dict[str, Any] = json.loads(text)
    for operation in _operations(document):
        _keep_our_problems(operation)
    for name in _VALIDATION_SCHEMAS:
        document["components"]["schemas"].pop(name, None)
    return with_languages(document, languages)


def load_document() -> str:
    """Return the stored document as JSON, with the languages of this shop's vocabulary."""
    document = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    return json.dumps(with_languages(document, Vocabulary.load().languages), indent=1)


def with_languages(document: dict[str, Any], languages: Sequence[str]) -> dict[str, Any]:
    """Return the document with these languages as the only ones that requests may name."""
    for operation in _operations(document):
        for parameter in operation.get("parameters", ()):
            if parameter["name"] == "language":
                parameter["schema"]["enum"] = list(languages)
    return document


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        yield from path.values()


def _keep_our_problems(operation: dict[str, Any]) -> None:
    """Remove the answer of status 422 that Powertools writes into every operation, unless it is one of our problems."""
    if MEDIA_TYPE not in operation["responses"].get("422", {}).get("content", {MEDIA_TYPE: {}}):
        del operation["responses"]["422"]
