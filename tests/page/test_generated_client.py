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


def send(ticket: Any, photo: bytes) -> None:
    """Send a photo with the form that the API gave out for it."""
    form = ticket.fields.additional_properties
    httpx.post(ticket.url, data=form, files={"file": ("mine.jpg", photo, "image/jpeg")}, timeout=60).raise_for_status()


def record_of(made: Callable[[str], Any], client: Any, image: str) -> Any:
    """Return the record of an image, or the problem that there is none."""
    bucket, _, key = image.removeprefix("s3://").partition("/")
    return made("api.lookup.image").sync(bucket, key, client=client)


def status_of(made: Callable[[str], Any], client: Any, image: str) -> Any:
    return record_of(made, client, image).status


def test_a_generated_client_uploads_a_photo_and_sees_its_keywords(site: Site, made: Callable[[str], Any]) -> None:
    client, models = made("client").Client(base_url=site.url.rstrip("/"), timeout=60), made("models")
    photo = next(iter(site.photos.values())).read_bytes()
    announced = models.AnnouncedPhoto(name="mine.jpg", type_="image/jpeg", size=len(photo))
    ticket = made("api.upload.announce_upload").sync(client=client, body=announced)
    send(ticket, photo)
    wait_for(lambda: status_of(made, client, ticket.image) == "tagged")
    record = record_of(made, client, ticket.image)
    rating = models.KeywordRating(ticket.image, record.keywords[0].id, models.Verdict.RIGHT, record.model_version)
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


def test_a_generated_client_finds_the_same_photo_shows_it_replaces_it_and_removes_it(
    site: Site, made: Callable[[str], Any]
) -> None:
    client, models = made("client").Client(base_url=site.url.rstrip("/"), timeout=60), made("models")
    (product, path), (_, other_path) = list(site.photos.items())[:2]
    photo, other, original = path.read_bytes(), other_path.read_bytes(), f"s3://{site.bucket}/{product}.jpg"
    announced = models.AnnouncedUpload(name="again.jpg", type_="image/jpeg", size=len(photo), product="again")
    ticket = made("api.upload.announce_upload").sync(client=client, body=announced)
    send(ticket, photo)
    wait_for(lambda: status_of(made, client, ticket.image) == "tagged")
    bucket, _, key = ticket.image.removeprefix("s3://").partition("/")

    alike = made("api.search.similar_images").sync(client=client, body=models.SimilarTo(image=ticket.image))
    compared = models.ComparedPhotos(image=ticket.image, candidates=[result.image for result in alike.results[:8]])
    same = made("api.lookup.same_photos").sync(client=client, body=compared)
    grid = made("models.thumbnail_size").ThumbnailSize.VALUE_0
    thumbnail = made("api.lookup.thumbnail").sync(grid, bucket, key, client=client)
    assert original in same.same
    assert thumbnail.payload.read()[8:12] == b"WEBP"

    before = record_of(made, client, ticket.image)
    announced = models.AnnouncedPhoto(name="again.jpg", type_="image/jpeg", size=len(other))
    send(made("api.upload.replace_upload").sync(bucket, key, client=client, body=announced), other)
    wait_for(lambda: record_of(made, client, ticket.image).etag != before.etag)
    removed = made("api.upload.remove_upload").sync(bucket, key, client=client)
    assert removed.image == ticket.image
    wait_for(lambda: status_of(made, client, ticket.image) == "gone")
