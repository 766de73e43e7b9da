"""Addresses that are given out do what they were made for, and nothing else."""

from __future__ import annotations

import urllib.error
import urllib.request
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.aws.clients import client
from pipeline.aws.direct import DirectS3
from pipeline.aws.photo_addresses import S3Addresses
from pipeline.aws.s3 import S3Images
from pipeline.images import ImageRef

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.ports import UploadForm

pytestmark = pytest.mark.slow


@pytest.fixture
def s3(ministack: str) -> Any:
    return client("s3", ministack)


@pytest.fixture
def image(s3: Any) -> ImageRef:
    bucket = f"uploads-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=bucket)
    return ImageRef(bucket, "uploads/shoe-1.jpg")


def posted(form: UploadForm, data: bytes, **changed: str) -> int:
    """Send the form as a browser does and return the answer's status."""
    boundary = "b0undary"
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in {**form.fields, **changed}.items()
    ]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
    body = "".join([*parts, head]).encode() + data + f"\r\n--{boundary}--\r\n".encode()
    request = urllib.request.Request(form.url, body, {"Content-Type": f"multipart/form-data; boundary={boundary}"})
    return status_of(request)


def status_of(request: urllib.request.Request | str) -> int:
    try:
        with urllib.request.urlopen(request, timeout=10) as answered:
            return int(answered.status)
    except urllib.error.HTTPError as refused:
        return refused.code


def test_a_photo_of_the_promised_name_type_and_size_is_taken(s3: Any, image: ImageRef) -> None:
    form = S3Addresses(s3).to_write(image, "image/jpeg", 5, 60)

    assert posted(form, b"photo") == 204
    found = s3.get_object(Bucket=image.bucket, Key=image.key)
    assert (found["Body"].read(), found["ContentType"]) == (b"photo", "image/jpeg")


@pytest.mark.parametrize(
    "send",
    [
        lambda form: posted(form, b"larger"),
        lambda form: posted(form, b"less"),
        lambda form: posted(form, b""),
        lambda form: posted(form, b"photo", key="uploads/somebody-elses.jpg"),
        lambda form: posted(form, b"photo", key="${filename}"),
        lambda form: posted(form, b"photo", **{"Content-Type": "text/html"}),
        lambda form: posted(form, b"photo", acl="public-read"),
    ],
    ids=["larger", "smaller", "empty", "other key", "key of the file", "other type", "public"],
)
def test_anything_else_is_refused(s3: Any, image: ImageRef, send: Callable[[UploadForm], int]) -> None:
    assert 400 <= send(S3Addresses(s3).to_write(image, "image/jpeg", 5, 60)) < 500
    assert "Contents" not in s3.list_objects_v2(Bucket=image.bucket)


def test_a_form_ends_with_its_time(s3: Any, image: ImageRef) -> None:
    assert posted(S3Addresses(s3).to_write(image, "image/jpeg", 5, -1), b"photo") == 403


def test_a_photo_is_shown_by_its_address_and_by_no_other(s3: Any, image: ImageRef) -> None:
    s3.put_object(Bucket=image.bucket, Key=image.key, Body=b"photo")
    s3.put_object(Bucket=image.bucket, Key="secret.jpg", Body=b"secret")
    address = S3Addresses(s3).to_read(image, 60)

    assert status_of(address) == 200
    assert status_of(address.replace("uploads/shoe-1.jpg", "secret.jpg")) == 403


def test_a_form_of_a_product_writes_it_into_the_objects_metadata_and_takes_no_other(s3: Any, image: ImageRef) -> None:
    form = S3Addresses(s3).to_write(image, "image/jpeg", 5, 60, "Größe 7")

    assert 400 <= posted(form, b"photo", **{"x-amz-meta-product": "another"}) < 500
    assert posted(form, b"photo") == 204
    fetched = S3Images(s3).fetch(image, None, 100)
    directly = S3Images(DirectS3.of(s3)).fetch(image, None, 100)
    assert fetched.product == directly.product == "Größe 7"
