"""Every route, asked by strangers, by a client that was made from the document, and by our own client."""

from __future__ import annotations

import asyncio
import base64
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from schemathesis import GenerationMode

from infra.openapi import whole_document
from pipeline.errors import CallerError
from pipeline.http.catalogue import KeywordRating
from pipeline.http.client import AsyncCatalogClient, CatalogClient
from pipeline.images import ImageRef
from pipeline.ratings import Verdict
from pipeline.records import KeywordAction
from tests.gateway import gateway
from tests.generated_client import generated_client
from tests.strangers import send_many
from tests.whole_api import LINKED, PHOTO, SHOE, whole_api

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OPERATIONS = [(method, path) for path, by_method in whole_document()["paths"].items() for method in by_method]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with gateway(whole_api(tmp_path_factory.mktemp("api"))) as served:
        yield served


# ---- Strangers -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: mode.value)
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_whatever_strangers_send_the_answer_is_as_the_document_says(
    address: str, method: str, path: str, mode: GenerationMode
) -> None:
    schema = schemathesis.openapi.from_dict(whole_document())
    schema.config.update(base_url=address)
    send_many(schema[path][method.upper()], mode)


# ---- A client that was made from the document ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Any]]:
    with generated_client(tmp_path_factory.mktemp("generated")) as module:
        yield module


def test_a_generated_client_classifies_by_bytes_base64_link_and_form_and_compares(address: str, generated: Any) -> None:
    classify, types, models = generated("api.classify.classify_photo"), generated("types"), generated("models")
    client = generated("client").Client(base_url=address)
    text = base64.b64encode(PHOTO).decode()
    bodies = [
        types.File(payload=BytesIO(PHOTO)),
        models.ClassifyPhotoJsonPhotoReference(image=text),
        models.ClassifyPhotoJsonPhotoReference(link=str(LINKED)),
        models.ClassifyPhotoFilesBody(
            image=types.File(payload=BytesIO(PHOTO), file_name="a.jpg", mime_type="image/jpeg")
        ),
    ]
    answers = [classify.sync(client=client, body=body, models="default,other") for body in bodies]

    assert [answer.keywords[0].keyword for answer in answers] == ["running shoe"] * 4
    assert [[one.model for one in answer.models] for answer in answers] == [["default", "other"]] * 4
    assert answers[0].models[1].keywords[0].keyword != "running shoe"


def test_a_generated_client_uploads_looks_up_rates_decides_and_reads_problems(address: str, generated: Any) -> None:
    models, client = generated("models"), generated("client").Client(base_url=address)
    photo = models.AnnouncedPhoto(name="shoe.jpg", type_="image/jpeg", size=len(PHOTO))
    ticket = generated("api.upload.announce_upload").sync(client=client, body=photo)
    image = generated("api.lookup.image").sync("shop", "boot/1.jpg", client=client)
    rating = models.KeywordRating(image=image.image, keyword="boot", verdict=models.Verdict.RIGHT, model_version="m")
    kept = generated("api.review.rate_keywords").sync(client=client, body=models.KeywordRatings(ratings=[rating]))
    decision = models.KeywordDecision(image=image.image, keyword="boot", decision=models.KeywordAction.PIN)
    decided = generated("api.review.decide_keywords").sync(
        client=client, body=models.KeywordDecisions(decisions=[decision])
    )
    missing = generated("api.lookup.image").sync_detailed("shop", "never.jpg", client=client)

    assert ticket.fields.additional_properties["key"].startswith("uploads/shoe-")
    assert kept.kept == 1
    assert decided.decisions[0].changed
    assert (missing.status_code, missing.parsed.code) == (404, "not_found")


# ---- Our own client --------------------------------------------------------------------------------------------------


def test_our_client_does_all_that_the_api_can(address: str) -> None:
    client, ref = CatalogClient(address, None), ImageRef("shop", "boot/2.jpg")
    image = client.image(ref)

    assert image is not None
    assert client.classify(PHOTO).keywords[0].id == SHOE
    assert client.classify(str(LINKED), models=["other"], language="de").language == "de"
    assert [model.model for model in client.models().models] == ["default", "other"]
    assert (
        client.rate([KeywordRating(image=str(ref), keyword="boot", verdict=Verdict.RIGHT, model_version="m")]).kept == 1
    )
    assert client.decide([(ref, "boot", KeywordAction.PIN)]).decisions[0].changed
    assert list(client.photos([ref, ImageRef("shop", "payroll.csv")]).photos) == [str(ref)]
    assert client.similar_images(image=ref).results == []  # the small shop has no vectors
    assert client.same_photos(ref, [ImageRef("shop", "boot/1.jpg")]).same == ["s3://shop/boot/1.jpg"]
    assert client.status().queues[0].name == "uploads"
    assert client.announce("a.jpg", "image/jpeg", 5).fields["key"].startswith("uploads/a-")
    with pytest.raises(CallerError, match="not those of a picture"):
        client.classify(b"no photo")


def test_our_async_client_has_the_same_methods(address: str) -> None:
    async def ask() -> tuple[str, int]:
        client = AsyncCatalogClient(address, None)
        classified, status = await asyncio.gather(client.classify(PHOTO), client.status())
        return classified.keywords[0].id, status.tagged

    assert asyncio.run(ask())[0] == SHOE
    public = {name for name in vars(CatalogClient) if not name.startswith("_")}
    assert public == {name for name in vars(AsyncCatalogClient) if not name.startswith("_")}
