"""A browser reaches each bucket at an address that its region answers itself, and that the page's policy names."""

from __future__ import annotations

import runpy
from urllib.parse import urlsplit

import pytest

from infra.package import ROOT
from pipeline.aws.clients import presigning_client
from pipeline.aws.photo_addresses import S3Addresses
from pipeline.front_settings import PageSettings, bucket_regions
from pipeline.images import ImageRef

HERE = "http://127.0.0.1:4566"


def addresses(bucket: str, *, on_embedded_aws: bool = False) -> list[str]:
    """Return where a photo of the bucket is read and written, without what is signed."""
    made = S3Addresses(presigning_client(on_embedded_aws=on_embedded_aws))
    image = ImageRef(bucket, "a.jpg")
    whole = made.to_read(image, 60), made.to_write(image, "image/jpeg", 5, 60).url
    return [each.partition("?")[0] for each in whole]


def policy_sources(region: str, *buckets: str, **environment: str) -> tuple[str, ...]:
    told = {"AWS_REGION": region, "WATCH_API_ID": "abc", "WATCH_API_STAGE": "watch", "PHOTO_BUCKETS": ",".join(buckets)}
    return PageSettings.from_environment(told | environment).photo_hosts


@pytest.mark.parametrize("region", ["eu-south-1", "us-east-1", "eu-central-1"])
def test_each_bucket_has_its_own_host_in_its_region(
    aws_environment: None, monkeypatch: pytest.MonkeyPatch, region: str
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    found = addresses("shop-images")

    assert found == [f"https://shop-images.s3.{region}.amazonaws.com/{rest}" for rest in ("a.jpg", "")]
    assert {f"https://{urlsplit(each).netloc}" for each in found} == set(policy_sources(region, "shop-images"))


def test_a_bucket_with_a_dot_is_a_folder_of_the_regions_host(
    aws_environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-south-1")
    read, _ = addresses("photos.shop.example")

    [source] = policy_sources("eu-south-1", "photos.shop.example")
    assert source == "https://s3.eu-south-1.amazonaws.com/photos.shop.example/"
    assert read.startswith(source)


@pytest.mark.parametrize("bucket", ["their-photos", "their.photos"])
def test_a_bucket_in_another_region_is_reached_there_and_the_page_may(
    aws_environment: None, monkeypatch: pytest.MonkeyPatch, bucket: str
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    environment = {"BUCKET_REGIONS": f"{bucket}=us-west-2,shop-images=,="}
    regions = bucket_regions(environment)
    made = S3Addresses(presigning_client(), {name: presigning_client(region=at) for name, at in regions.items()})
    read = made.to_read(ImageRef(bucket, "a.jpg"), 60)
    own, source = policy_sources("eu-central-1", "shop-images", bucket, **environment)

    assert regions == {bucket: "us-west-2"}
    assert read.startswith(f"{source.rstrip('/')}/a.jpg?")
    assert "%2Fus-west-2%2Fs3%2Faws4_request" in read
    assert made.to_read(ImageRef("shop-images", "a.jpg"), 60).startswith(f"{own}/a.jpg?")
    assert bucket_regions({**environment, "AWS_ENDPOINT_URL": HERE}) == {}


@pytest.mark.parametrize("bucket", ["shop-images", "photos.shop.example"])
def test_the_embedded_aws_has_one_host(aws_environment: None, monkeypatch: pytest.MonkeyPatch, bucket: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", HERE)

    assert addresses(bucket, on_embedded_aws=True) == [f"{HERE}/{bucket}/a.jpg", f"{HERE}/{bucket}"]
    assert HERE in policy_sources("us-east-1", bucket, AWS_ENDPOINT_URL=HERE)


WIRED = {"catalog_loader/lambda_upload.py": "_uploads", "results_sink/lambda_desk.py": "_addresses"}


@pytest.mark.parametrize(("endpoint", "host"), [("", "https://shop."), (HERE, f"{HERE}/shop")])
@pytest.mark.parametrize("function", WIRED)
def test_the_functions_that_presign_know_which_aws_they_run_on(
    aws_environment: None, monkeypatch: pytest.MonkeyPatch, function: str, endpoint: str, host: str
) -> None:
    names = ("IMAGES_BUCKET", "TABLE_NAME", "WATCHERS_TABLE_NAME", "RATINGS_TABLE_NAME")
    queues = [f"{name}_{kind}QUEUE_URL" for name in ("UPLOADS", "BACKFILL") for kind in ("", "DEAD_LETTER_")]
    for variable, value in {**dict.fromkeys((*names, *queues), "https://x"), "AWS_ENDPOINT_URL": endpoint}.items():
        monkeypatch.setenv(variable, value)
    wired = runpy.run_path(str(ROOT / function))[WIRED[function]]
    presigned = getattr(wired, "addresses", wired).to_read(ImageRef("shop", "a.jpg"), 60)

    assert presigned.startswith(host)
