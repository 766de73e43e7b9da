"""Each function runs from its package alone, as AWS Lambda runs it: real events in, the right effects out."""

from __future__ import annotations

import io
import json
import os
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from infra.package import PACKAGES
from pipeline.aws.clients import client
from pipeline.aws.dynamodb import DynamoTable
from pipeline.aws.s3 import S3Files
from pipeline.images import BucketPrefix, ImageRef
from pipeline.messages import TagImage
from pipeline.records import GoneImage, RejectedImage, TaggedImage
from tagging_lambda.model_store import keep
from tests.aws_world import AwsWorld
from tests.infra.day import Day, live_a_day, refused
from tests.infra.lambda_place import running
from tests.infra.stack_account import Account
from tests.infra.template_parts import functions, whole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.infra.lambda_place import Function

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
MEMORY_BYTES = 1769 * 1024**2  # as the template says


def told(function: str, **here: str) -> dict[str, str]:
    """Return the variables that the template gives the function, with these values."""
    shared = whole()["Globals"]["Function"]["Environment"]["Variables"]
    named = shared | functions()[function]["Environment"]["Variables"]
    assert set(here) <= set(named)
    literal = {name: value for name, value in named.items() if isinstance(value, str)}
    return {name: here.get(name, literal.get(name, "")) for name in named}


class Shop:
    """What a deployed stack has, on the embedded AWS."""

    def __init__(self, endpoint_url: str) -> None:
        self.world = AwsWorld(endpoint_url)
        self.endpoint_url = endpoint_url
        self.bucket, self.table_name = self.world.bucket(), self.world.table()
        self.table = DynamoTable(self.world.dynamodb, self.table_name)
        self.queue = self._queue("uploads")
        self.dead_letters = self._queue("uploads-dead-letters")

    def _queue(self, name: str) -> str:
        return str(self.world.sqs.create_queue(QueueName=f"{self.world.name}-{name}")["QueueUrl"])

    def put(self, key: str, data: bytes) -> ImageRef:
        self.world.s3.put_object(Bucket=self.bucket, Key=key, Body=data)
        return ImageRef(self.bucket, key)

    def environment(self, function: str, **here: str) -> dict[str, str]:
        queues = {}
        if function == "TagFunction":
            queues = {f"{each}_QUEUE_URL": self.queue for each in ("UPLOADS", "BACKFILL")}
            queues |= {f"{each}_DEAD_LETTER_QUEUE_URL": self.dead_letters for each in ("UPLOADS", "BACKFILL")}
        given = {"TABLE_NAME": self.table_name, "METRICS_NAMESPACE": "CatalogTagger/test", **queues, **here}
        return {**told(function, **given), "AWS_ENDPOINT_URL": self.endpoint_url}

    def event(self, *bodies: str) -> dict[str, Any]:
        """Return the event by which AWS Lambda hands over messages of the uploads queue."""
        arn = f"arn:aws:sqs:us-east-1:000000000000:{self.queue.rsplit('/', 1)[-1]}"
        return {
            "Records": [
                {
                    "messageId": f"message-{at}",
                    "receiptHandle": f"receipt-{at}",
                    "body": body,
                    "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1772366400000"},
                    "messageAttributes": {},
                    "md5OfBody": "",
                    "eventSource": "aws:sqs",
                    "eventSourceARN": arn,
                    "awsRegion": "us-east-1",
                }
                for at, body in enumerate(bodies)
            ]
        }


def photo(colour: str = "teal", kind: str = "JPEG") -> bytes:
    """Return a picture of one colour as a file."""
    file = io.BytesIO()
    Image.new("RGB", (640, 480), colour).save(file, kind)
    return file.getvalue()


@pytest.fixture(scope="module")
def shop(ministack: str) -> Shop:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        return Shop(ministack)


@pytest.fixture(scope="module")
def tagging(shop: Shop, packages: dict[str, Path], tmp_path_factory) -> Iterator[Function]:
    code, log = packages["TagFunction"], tmp_path_factory.mktemp("log") / "tag.log"
    with running(code, functions()["TagFunction"]["Handler"], shop.environment("TagFunction"), log) as function:
        yield function


def test_photos_are_tagged_rejected_and_gone(shop: Shop, tagging: Function) -> None:
    kinds = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP")
    good = [shop.put(f"good.{kind.lower()}", photo(kind=kind)) for kind in kinds]
    bad, gone = shop.put("bad.jpg", photo()[:99]), ImageRef(shop.bucket, "gone.jpg")
    answer = tagging.call(shop.event(*(TagImage(each).encode() for each in (*good, bad, gone))))
    records = shop.table.get_many([*good, bad, gone])

    assert answer == {"batchItemFailures": []}
    assert {type(records[each]) for each in good} <= {TaggedImage, RejectedImage}
    assert isinstance(records[good[0]], TaggedImage)
    assert isinstance(records[bad], RejectedImage)
    assert isinstance(records[gone], GoneImage)


def test_what_was_looked_at_is_counted_where_cloudwatch_reads_it(shop: Shop, tagging: Function) -> None:
    tagging.call(shop.event(TagImage(shop.put("counted.jpg", photo("red"))).encode()))
    lines = [json.loads(line) for line in tagging.said().splitlines() if line.startswith('{"_aws"')]

    assert lines[-1]["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "CatalogTagger/test"
    assert lines[-1]["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"]]
    assert lines[-1]["service"] == "tag"
    assert lines[-1]["ImagesTagged"] == [1.0]


def test_a_message_that_cannot_be_read_is_buried_with_its_error(shop: Shop, tagging: Function) -> None:
    answer = tagging.call(shop.event("no message"))
    found = shop.world.sqs.receive_message(QueueUrl=shop.dead_letters, MessageAttributeNames=["All"])["Messages"]

    assert answer == {"batchItemFailures": []}
    assert [letter["Body"] for letter in found] == ["no message"]
    assert found[0]["MessageAttributes"]["error"]["StringValue"].startswith("BadMessage: ")


def test_the_largest_photo_that_is_accepted_fits_into_the_functions_memory(shop: Shop, tagging: Function) -> None:
    file = io.BytesIO()
    Image.effect_noise((8000, 8000), 64).convert("RGB").save(file, "JPEG", quality=30)  # 64 million pixels, the limit
    image = shop.put("large.jpg", file.getvalue())
    tagging.call(shop.event(TagImage(image).encode()))

    assert isinstance(shop.table.get_many([image])[image], TaggedImage), tagging.said()
    assert tagging.peak_bytes() < MEMORY_BYTES


def test_nothing_outside_tmp_can_be_written_and_nothing_of_this_checkout_is_seen(
    shop: Shop, packages: dict[str, Path], tmp_path: Path, root: Path
) -> None:
    """Proof that the place is as strict as it says."""
    probe = tmp_path / "code"
    probe.mkdir()
    (probe / "probe.py").write_text(
        """
import os, tempfile
def may_write(folder):
    try:
        with open(os.path.join(folder, "probe"), "w"):
            return True
    except OSError:
        return False
def handler(event, context):
    import importlib.util
    return {
        "writable": [each for each in event["folders"] if may_write(each)],
        "user": os.getuid(), "groups": os.getgroups(),
        "checkout": os.listdir(event["root"]) if os.path.isdir(event["root"]) else [],
        "found": [name for name in event["modules"] if importlib.util.find_spec(name)],
    }
"""
    )
    folders = ["/tmp", "/var/task", "/var/lang", "/var/runtime", "/var", "/dev/shm", "/", "/etc", "/usr", str(root)]
    with running(probe, "probe.handler", {}, tmp_path / "log") as function:
        answer = function.call({"folders": folders, "modules": ["boto3", "pip", "pipeline"], "root": str(root)})

    assert answer["writable"] == ["/tmp"]
    assert (answer["user"], answer["groups"]) == (65534, [])
    assert (answer["checkout"], answer["found"]) == ([], [])


def test_a_model_that_is_not_in_the_package_is_fetched_by_its_hash(
    shop: Shop, packages: dict[str, Path], real_model: Path, tmp_path: Path
) -> None:
    code = tmp_path / "code"
    without_model = shutil.ignore_patterns("model")
    shutil.copytree(packages["TagFunction"], code, ignore=without_model, copy_function=os.link)
    name = keep(real_model, S3Files(shop.world.s3, BucketPrefix(shop.bucket, "models/")))
    environment = shop.environment("TagFunction", MODEL_URI=f"s3://{shop.bucket}/models/{name}")
    image = shop.put("fetched.jpg", photo("navy"))
    with running(code, functions()["TagFunction"]["Handler"], environment, tmp_path / "log") as function:
        function.call(shop.event(TagImage(image).encode()))

    assert isinstance(shop.table.get_many([image])[image], TaggedImage)


@dataclass
class Jailed(Day):
    """A day of the packages themselves, each in its place."""

    packages: dict[str, Path] = field(default_factory=dict)
    logs: Path | None = None

    def answers(self, function: str, wanted: list[dict[str, Any]]) -> list[Any]:
        events = [each["event"] for each in wanted if "remaining_ms" not in each]
        handler, told = functions()[function]["Handler"], self.variables(function)
        assert self.logs is not None
        with running(self.packages[function], handler, told, self.logs / f"{function}.log") as started:
            return [started.call(event) for event in events]


@pytest.fixture(scope="module")
def day(ministack: str, packages: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Jailed:
    """A day of the packages, lived."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        account = Account.asleep_with_a_neighbour(ministack, tmp_path_factory.mktemp("code"))
        jailed = Jailed(account, packages=packages, logs=tmp_path_factory.mktemp("logs"))
        live_a_day(jailed)
        return jailed


def test_every_function_answers_every_event_of_a_day(day: Jailed) -> None:
    assert set(day.answered) == {package.function for package in PACKAGES}
    assert refused(day) == [("ClassifyFunction", 404)]


def test_a_day_is_in_the_table_and_in_the_export(day: Jailed) -> None:
    table = DynamoTable(client("dynamodb", day.account.endpoint_url), day.names["Table"])
    records = [each for each in table.scan() if not isinstance(each, GoneImage)]
    files = S3Files(day.account.s3, BucketPrefix(day.names["ExportBucket"], "export/"))
    exported = [answer for answer in day.answered["ExportFunction"] if "rows" in answer]

    assert {type(record) for record in records} == {TaggedImage, RejectedImage}
    assert any(record.decisions for record in records)
    assert max(answer["rows"] for answer in exported) == len(records) - 1  # all but the upload, which came later
    assert json.loads(files.read("latest.json"))["snapshot"]


@pytest.mark.parametrize(("function", "lacks"), [("TagFunction", "TABLE_NAME"), ("ExportFunction", "EXPORT_BUCKET")])
def test_a_function_that_is_not_set_up_says_why_it_does_not_start(
    shop: Shop, packages: dict[str, Path], tmp_path: Path, function: str, lacks: str
) -> None:
    code, environment = packages[function], shop.environment(function) | {lacks: ""}
    starting = running(code, functions()[function]["Handler"], environment, tmp_path / "log")
    with pytest.raises(AssertionError, match=f"{lacks} is not set"), starting:
        pass
