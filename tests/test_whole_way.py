"""The whole way on the deployed template, with the real model: photos in at one end, keywords out at the other."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from infra.cli import main
from infra.model.npm import Npm
from infra.model.sample_catalogue import sample_catalogue
from pipeline.aws.clients import client
from pipeline.aws.dynamodb import DynamoTable
from pipeline.aws.sqs import SqsQueue
from pipeline.images import ImageRef
from pipeline.keywords import Vocabulary
from pipeline.records import GoneImage, RejectedImage, TaggedImage
from pipeline.settings import home
from pipeline.stack import Stack, find_stack
from tests.builders import jpeg

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pipeline.records import Record

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
PATIENCE_S = 90.0  # chosen by us: everything here takes seconds on an idle machine


class Shop:
    """A deployed stack and what a person does with it."""

    def __init__(self, photos: dict[str, bytes], capsys: pytest.CaptureFixture[str] | None = None) -> None:
        self.photos, self.stack = photos, find_stack()
        self.s3 = client("s3", self.stack.endpoint_url)
        self.table = DynamoTable(client("dynamodb", self.stack.endpoint_url), self.stack.table_name)

    def put(self, key: str, data: bytes, bucket: str | None = None) -> ImageRef:
        self.s3.put_object(Bucket=bucket or self.stack.images_bucket, Key=key, Body=data)
        return ImageRef(bucket or self.stack.images_bucket, key)

    def delete(self, image: ImageRef) -> None:
        self.s3.delete_object(Bucket=image.bucket, Key=image.key)

    def record(self, image: ImageRef, until: Callable[[Record], bool] = lambda _: True) -> Record:
        """Return the image's record as soon as it is so."""
        ends_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < ends_s:
            record = self.table.get_many([image]).get(image)
            if record is not None and until(record):
                return record
            time.sleep(0.1)
        pytest.fail(f"{image} did not come so far within {PATIENCE_S:g} s: {record}")


@pytest.fixture(scope="module")
def photos(real_model: Path) -> dict[str, bytes]:
    """The photos of the sample catalogue, by product."""
    return {photo.product: photo.path.read_bytes() for photo in sample_catalogue(home(), Npm(), lambda _: None).photos}


@pytest.fixture(scope="module")
def shop(photos, real_model, tmp_path_factory) -> Iterator[Shop]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODEL_DIR", str(real_model))
        patch.setenv("CATALOG_TAGGER_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("CATALOG_TAGGER_TARGET", "local")
        try:
            assert main(["local", "up"]) == 0
            yield Shop(photos)
        finally:
            main(["local", "down", "--purge"])


def names(record: Record) -> set[str]:
    assert isinstance(record, TaggedImage)
    nodes = Vocabulary.load().nodes
    return {nodes[tag.keyword_id].name() for tag in record.keywords}


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    """Return what a command answers as JSON."""
    capsys.readouterr()
    assert main([*words, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_an_upload_is_tagged_replaced_and_deleted_as_the_bucket_says(shop: Shop):
    image = shop.put("new/tennis ball+ü.jpg", shop.photos["tennis-ball"])
    record = shop.record(image)
    assert {"tennis ball", "ball", "sports equipment"} <= names(record)
    assert record.observation.product == "new/tennis ball+ü"
    shop.put(image.key, shop.photos["laptop"])
    assert "laptop" in names(shop.record(image, lambda found: found.observation.etag != record.observation.etag))
    shop.delete(image)
    assert isinstance(shop.record(image, lambda found: not isinstance(found, TaggedImage)), GoneImage)
    shop.put(image.key, shop.photos["football"])
    assert "soccer ball" in names(shop.record(image, lambda found: isinstance(found, TaggedImage)))


def test_a_backfill_reads_another_bucket_and_counts_what_it_skipped(shop: Shop, capsys):
    shop.s3.create_bucket(Bucket="old-shop")
    for product in ("tripod", "tent", "basketball"):
        shop.put(f"catalogue/{product}.jpg", shop.photos[product], "old-shop")
    shop.put("catalogue/notes.txt", b"words", "old-shop")
    shop.put("elsewhere/laptop.jpg", shop.photos["laptop"], "old-shop")
    report = said(capsys, "load", "s3://old-shop/catalogue/")
    assert (report["found"], report["sent"], report["skipped"]) == (4, 3, 1)
    record = shop.record(ImageRef("old-shop", "catalogue/tripod.jpg"))
    assert record.observation.run_id == report["run_id"]
    assert "tripod" in names(record)
    for product in ("tent", "basketball"):
        assert product in names(shop.record(ImageRef("old-shop", f"catalogue/{product}.jpg")))
    assert ImageRef("old-shop", "elsewhere/laptop.jpg") not in shop.table.get_many(
        [ImageRef("old-shop", "elsewhere/laptop.jpg")]
    )


def test_a_manifest_gives_the_product(shop: Shop, capsys, tmp_path):
    image = shop.put("m/1.jpg", shop.photos["hard-drive"])
    shop.record(image)
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(f"image,product\n{image},HD-2000\n")
    assert said(capsys, "load", str(manifest))["sent"] == 1
    assert shop.record(image, lambda found: found.observation.product == "HD-2000")
    assert said(capsys, "show", "--product", "HD-2000")


def test_bad_files_are_rejected_with_their_reason_and_their_neighbours_tagged(shop: Shop):
    cut_off = shop.put("bad/cut-off.jpg", shop.photos["tent"][:9000])
    no_picture = shop.put("bad/list.jpg", b"%PDF-1.7")
    good = shop.put("bad/plain.jpg", jpeg("teal"))
    assert {shop.record(image).reason for image in (cut_off, no_picture)} == {"corrupt", "not_image"}
    assert all(isinstance(shop.record(image), RejectedImage) for image in (cut_off, no_picture))
    assert shop.record(good).low_information


def test_the_export_and_the_search_find_what_was_tagged(shop: Shop, capsys, tmp_path):
    image = shop.put("s/sofa.jpg", shop.photos["leather-sofa"])
    shop.record(image)
    said(capsys, "export", str(tmp_path / "export"))
    answer = said(capsys, "search", "furniture", "--from", str(tmp_path / "export"))
    assert str(image) in [result["image"] for result in answer["results"]]
    assert answer["total"] == len(answer["results"])


def test_the_export_function_exports_to_its_bucket(shop: Shop, capsys):
    image = shop.put("s/mouse.jpg", shop.photos["cordless-mouse"])
    shop.record(image)
    invoked = client("lambda", shop.stack.endpoint_url).invoke(FunctionName=shop.stack.export_function_name)
    assert "FunctionError" not in invoked, invoked["Payload"].read()
    answer = said(capsys, "search", "computer mouse")
    assert str(image) in [result["image"] for result in answer["results"]]


def test_an_audit_holds_bucket_records_and_export_against_each_other(shop: Shop, capsys):
    exported = shop.put("audited/tent.jpg", shop.photos["tent"])
    shop.record(exported)
    said(capsys, "export")
    newer = shop.put("audited/tripod.jpg", shop.photos["tripod"])
    shop.record(newer)
    main(["audit", f"s3://{exported.bucket}/audited/", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert (found["listed"], found["tagged"], found["missing"], found["stale"], found["orphaned"]) == (2, 2, 0, 0, 0)
    assert (found["not_exported"], found["export_stale"], found["exported_orphan"]) == (0, 0, 0)
    assert (found["export"]["search_is_down"], found["export"]["damages"]) == (False, [])


def test_what_was_recorded_outlives_local_down_and_up(shop: Shop):
    image = shop.put("kept/bike.jpg", shop.photos["road-bike"])
    before = shop.record(image)
    assert main(["local", "down"]) == 0
    assert main(["local", "up"]) == 0
    again = Shop(shop.photos)
    assert again.record(image) == before
    assert again.s3.get_object(Bucket=image.bucket, Key=image.key)["Body"].read() == shop.photos["road-bike"]
    later = again.put("kept/camera.jpg", shop.photos["twin-lens-camera"])
    assert "camera" in names(again.record(later))
    shop.__dict__.update(again.__dict__)


def test_an_upload_overtakes_a_backfill_of_thousands(shop: Shop, capsys, tmp_path):
    """With three thousand images waiting, a new product is tagged long before the last of them."""
    image = shop.put("crowd/one.jpg", shop.photos["tripod"])
    shop.record(image)
    keys = [f"crowd/{number:04}.jpg" for number in range(3000)]
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("image\n" + "".join(f"s3://{image.bucket}/{key}\n" for key in keys))
    assert said(capsys, "load", str(manifest))["sent"] == 3000
    new = shop.put("crowd/new.jpg", shop.photos["tennis-ball"])
    assert "tennis ball" in names(shop.record(new))
    backfill = SqsQueue(client("sqs", shop.stack.endpoint_url), shop.stack.backfill_queue_url)
    assert backfill.depth().waiting > 1000


def test_the_stack_that_commands_find_is_the_deployed_one(shop: Shop):
    assert isinstance(shop.stack, Stack)
    assert find_stack().table_name == shop.stack.table_name
