"""A client made from the document does on a deployed stack what the page does: upload, watch, compare, rate."""

from __future__ import annotations

import base64
from io import BytesIO
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.generated_client import generated_client
from tests.infra.local.scratch import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.page.conftest import Site

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Any]]:
    with generated_client(tmp_path_factory.mktemp("generated")) as module:
        yield module


def test_a_generated_client_uploads_a_photo_and_sees_its_keywords(site: Site, made: Callable[[str], Any]) -> None:
    client, models = made("client").Client(base_url=site.url.rstrip("/"), timeout=60), made("models")
    photo = next(iter(site.photos.values())).read_bytes()
    announced = models.AnnouncedPhoto(name="mine.jpg", type_="image/jpeg", size=len(photo))
    ticket = made("api.upload.announce_upload").sync(client=client, body=announced)
    form = ticket.fields.additional_properties
    sent = httpx.post(ticket.url, data=form, files={"file": ("mine.jpg", photo, "image/jpeg")}, timeout=60)
    bucket, _, key = ticket.image.removeprefix("s3://").partition("/")
    found: list[Any] = []

    def has_arrived() -> bool:
        answer = made("api.lookup.image").sync_detailed(bucket, key, client=client)
        found.append(answer.parsed)
        return answer.status_code == 200

    assert sent.is_success
    wait_for(has_arrived)
    assert (found[-1].image, found[-1].status) == (ticket.image, "tagged")
    rating = models.KeywordRating(ticket.image, found[-1].keywords[0].id, models.Verdict.RIGHT, found[-1].model_version)
    rated = made("api.review.rate_keywords").sync(client=client, body=models.KeywordRatings([rating]))
    assert rated.kept == 1


def test_a_generated_client_classifies_in_every_way_and_compares(site: Site, made: Callable[[str], Any]) -> None:
    client, models = made("client").Client(base_url=site.url.rstrip("/"), timeout=60), made("models")
    product, path = next(iter(site.photos.items()))
    photo = path.read_bytes()
    file = made("types").File
    bodies = [
        file(BytesIO(photo)),
        models.ClassifyPhotoFilesBody(image=file(BytesIO(photo), "a.jpg", "image/jpeg")),
        models.ClassifyPhotoJsonPhotoReference(image=base64.b64encode(photo).decode()),
        models.ClassifyPhotoJsonPhotoReference(link=f"s3://{site.bucket}/{product}.jpg"),
    ]
    answers = [made("api.classify.classify_photo").sync(client=client, body=body) for body in bodies]
    listed = made("api.classify.list_models").sync(client=client)
    names = [model.model for model in listed.models]
    compared = made("api.classify.classify_photo").sync(
        client=client, body=file(BytesIO(photo)), models=",".join(names)
    )

    assert len({answer.classes[0].class_ for answer in answers}) == 1
    assert [model.model for model in compared.models] == names
    assert len(names) == 2
