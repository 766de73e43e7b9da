"""One document tells of every route, its answers and its problems, and is the one that the API serves."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from infra.openapi import openapi, whole_document
from pipeline.http.document import DOCUMENT
from pipeline.http.models import ProblemCode
from pipeline.http.problems import MEDIA_TYPE
from pipeline.keywords import Vocabulary

GATEWAY = {"401", "403", "429"}
FIXED_BY = "run `catalog-tagger openapi --write`"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return whole_document()


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the operations by their method and path."""
    return {f"{method} {path}": each for path, by in document["paths"].items() for method, each in by.items()}


def test_the_document_has_every_route_of_every_function(document: dict[str, Any]) -> None:
    assert set(operations(document)) == {
        "get /v1/search",
        "get /v1/products/{product_id}/similar",
        "get /v1/precision",
        "get /v1/suggest",
        "get /v1/keywords",
        "get /v1/images/{bucket}/{key}",
        "put /v1/images/{bucket}/{key}",
        "delete /v1/images/{bucket}/{key}",
        "get /v1/products/{product_id}",
        "post /v1/products:batch",
        "get /v1/healthz",
        "post /v1/photos",
        "get /v1/thumbnails/{size}/{bucket}/{key}",
        "post /v1/duplicates",
        "post /v1/similar",
        "post /v1/classify",
        "get /v1/models",
        "post /v1/uploads",
        "post /v1/decisions",
        "get /v1/ratings",
        "post /v1/ratings",
        "get /v1/status",
    }


def test_what_the_api_serves_is_what_the_routes_are(document: dict[str, Any]) -> None:
    assert json.loads(DOCUMENT.read_text("utf-8")) == document, FIXED_BY


def test_the_command_prints_the_document(document: dict[str, Any]) -> None:
    assert json.loads(CliRunner().invoke(openapi, []).output) == document


def test_every_answer_has_a_model_and_every_problem_its_code(document: dict[str, Any]) -> None:
    for name, operation in operations(document).items():
        assert operation["tags"], name
        assert operation["summary"], name
        assert set(operation["responses"]) > GATEWAY, name
        for status, response in operation["responses"].items():
            if int(status) < 400:
                if "image/webp" in response["content"]:
                    assert response["content"]["image/webp"]["schema"] == {"type": "string", "format": "binary"}, name
                    continue
                assert response["content"]["application/json"]["schema"]["$ref"], name
                continue
            assert set(response["content"]) <= {MEDIA_TYPE, "application/json"}, (name, status)
            if MEDIA_TYPE in response["content"]:
                assert any(f"`{code}`" in response["description"] for code in ProblemCode), (name, status)


def test_a_photo_is_sent_in_four_ways(document: dict[str, Any]) -> None:
    body = operations(document)["post /v1/classify"]["requestBody"]

    assert set(body["content"]) == {"image/*", "application/octet-stream", "multipart/form-data", "application/json"}


def test_requests_are_signed_or_bear_a_token_as_the_deployment_says(document: dict[str, Any]) -> None:
    assert {one["type"] for one in document["components"]["securitySchemes"].values()} == {"apiKey", "http"}
    assert {name for way in document["security"] for name in way} == set(document["components"]["securitySchemes"])


def test_the_languages_are_those_of_the_words(document: dict[str, Any]) -> None:
    parameters = operations(document)["get /v1/search"]["parameters"]
    [language] = [parameter for parameter in parameters if parameter["name"] == "language"]

    assert language["schema"]["enum"] == list(Vocabulary.load().languages)


def test_nothing_but_our_own_names_stands_in_the_document(document: dict[str, Any]) -> None:
    schemas = set(document["components"]["schemas"])

    assert not [name for name in schemas if "__" in name or "-" in name or name.startswith(("HTTP", "Validation"))]
