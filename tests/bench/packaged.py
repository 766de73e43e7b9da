"""What the packages cost on a core: processor time of each function, run by ``make bench-packages``.

Time of the processor, not of the clock: on AWS Lambda's one virtual CPU that is what a busy function is billed for, and
a noisy neighbour changes it less. The emulator's own time is not in it. The rows go into
infra/measured.csv, from which ``make cost`` writes docs/cost.md.
"""

from __future__ import annotations

import copy
import csv
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.build import BUILD, unpack
from infra.cost import MEASURED_PATH
from infra.package import PACKAGES
from infra.wheels import Architecture
from pipeline.aws.clients import client
from pipeline.images import ImageRef
from pipeline.messages import TagImage
from pipeline.settings import home, model_dir
from tests.bench.tagging import processor
from tests.conftest import free_port, wait_for
from tests.infra.day import Day, batch_event, http, on_the_wire, told
from tests.infra.lambda_place import running
from tests.infra.stack_account import Account
from tests.infra.template_parts import functions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.infra.lambda_place import Function

TAG_BATCH, TAG_BATCHES = 50, 6
ROUNDS = 5
CHANGES = 1000  # in one part of the stream, as the template says
TASKS = 300  # of S3 Batch Operations, a call each
RECORDS = 20_000  # in the table that is exported
ROWS = (  # of infra/measured.csv: the name, how the figure is written, and what it says
    ("tag_ms", ".1f", "processor time of a photo of the sample catalogue, in batches of 50"),
    ("tag_start_ms", ".0f", "processor time of a start of the tagging function"),
    ("tag_mib", ".0f", "the most memory of the tagging function over these photos"),
    ("batch_job_ms", ".1f", "processor time of a task of S3 Batch Operations, a call each"),
    ("changes_ms", ".2f", "processor time of a change, in parts of 1,000"),
    ("export_ms", ".2f", "processor time of a record, in an export of 20,000"),
    ("export_mib", ".0f", "the most memory of that export"),
    ("thumbnail_ms", ".1f", "processor time of a thumbnail of 320 pixels, of the same photos"),
    ("record_bytes", ".0f", "a record in the table, as DynamoDB counts it"),
)
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


@contextmanager
def emulator() -> Iterator[str]:
    """Give the address of an empty embedded AWS."""
    port = free_port()
    environment = {**os.environ, "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port)}
    command = [sys.executable, "-m", "ministack"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(port, process, 60)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def cpu_ms(function: Function) -> float:
    """Return the processor time that the function's processes have had."""
    found = 0
    for pid in function.processes():
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        found += sum(int(fields[at]) for at in (11, 12, 13, 14))  # user and system, its own and of ended children
    return found * 1000 / TICKS_A_SECOND


class Bench:
    """A stack, and its functions from their packages."""

    def __init__(self, endpoint_url: str, folder: Path) -> None:
        """Deploy, and lay the packages out."""
        self.day, self.folder = Day(Account.asleep_with_a_neighbour(endpoint_url, folder / "code")), folder
        self.packages = {each.function: each for each in PACKAGES}
        self.dynamodb = client("dynamodb", endpoint_url)

    @contextmanager
    def started(self, name: str) -> Iterator[Function]:
        """Run a function."""
        code = unpack(self.packages[name], BUILD, model_dir(), Architecture.X86_64)
        with running(code, functions()[name]["Handler"], self.day.variables(name), self.folder / name) as function:
            yield function

    def tag(self) -> tuple[float, float, float]:
        """Return the milliseconds of a photo, those of a start, and the most memory in MiB."""
        photos, bucket = sorted((home() / "sample-catalogue").glob("*.jpg")), self.day.names["ImagesBucket"]
        with self.started("TagFunction") as function:
            start_ms = cpu_ms(function)
            spent = []
            for batch in range(TAG_BATCHES + 1):
                images = [ImageRef(bucket, f"{batch}/{at}.jpg") for at in range(TAG_BATCH)]
                for at, image in enumerate(images):
                    data = photos[at % len(photos)].read_bytes() + bytes([batch])
                    self.day.account.s3.put_object(Bucket=bucket, Key=image.key, Body=data)
                before = cpu_ms(function)
                function.call(self.event(images), 120)
                spent.append(cpu_ms(function) - before)
            return sum(spent[1:]) / TAG_BATCH / TAG_BATCHES, start_ms, function.peak_bytes() / 2**20

    def event(self, images: list[ImageRef]) -> dict[str, Any]:
        """Return the event of a batch of the backfill queue."""
        arn = f"arn:aws:sqs:us-east-1:000000000000:{self.day.account.name}-backfill"
        record = {"attributes": {"ApproximateReceiveCount": "1"}, "eventSource": "aws:sqs", "eventSourceARN": arn}
        bodies = [TagImage(image, "20260301T120000Z-0a1b2c").encode() for image in images]
        return {
            "Records": [{**record, "messageId": str(n), "receiptHandle": "r", "body": b} for n, b in enumerate(bodies)]
        }

    def items(self, count: int) -> list[dict[str, Any]]:
        """Return so many records as the table holds them: those of the photos, under other names."""
        found = self.dynamodb.scan(TableName=self.day.names["Table"])["Items"]
        made = [copy.deepcopy(found[at % len(found)]) for at in range(count)]
        for at, item in enumerate(made):
            item["image"]["S"] += f".{at}.jpg"
        return made

    def changes(self) -> float:
        """Return the milliseconds of a change."""
        event = {"Records": [told(at, on_the_wire(item)) for at, item in enumerate(self.items(CHANGES))]}
        with self.started("ChangesFunction") as function:
            function.call(event, 60)
            before = cpu_ms(function)
            for _ in range(3):
                function.call(event, 60)
            return (cpu_ms(function) - before) / CHANGES / 3

    def thumbnail(self) -> float:
        """Return the milliseconds of a thumbnail that is made."""
        bucket = self.day.names["ImagesBucket"]
        paths = [f"320/{bucket}/0/{number}.jpg" for number in range(TAG_BATCH)]
        first, *events = [http("ANY /v1/thumbnails/{proxy+}", path=path) for path in paths]
        with self.started("PictureFunction") as function:
            function.call(first, 60)
            before = cpu_ms(function)
            for event in events:
                if function.call(event, 30)["statusCode"] != HTTPStatus.OK:
                    raise RuntimeError("a thumbnail was not made")
            return (cpu_ms(function) - before) / len(events)

    def batch_job(self) -> float:
        """Return the milliseconds of a task of S3 Batch Operations."""
        with self.started("BatchJobFunction") as function:
            function.call(batch_event("shop", "first.jpg"), 30)
            before = cpu_ms(function)
            for number in range(TASKS):
                function.call(batch_event("shop", f"{number}.jpg"), 30)
            return (cpu_ms(function) - before) / TASKS

    def export(self) -> tuple[float, float, int]:
        """Return the milliseconds of a record, the most memory in MiB, and the bytes of a record in the table."""
        items = self.items(RECORDS)
        for at in range(0, RECORDS, 25):
            puts = [{"PutRequest": {"Item": item}} for item in items[at : at + 25]]
            self.dynamodb.batch_write_item(RequestItems={self.day.names["Table"]: puts})
        with self.started("ExportFunction") as function:
            before = cpu_ms(function)
            rows = function.call({}, 600)["rows"]
            size_bytes = sum(map(size_of, items)) // len(items)
            return (cpu_ms(function) - before) / rows, function.peak_bytes() / 2**20, size_bytes


def size_of(value: Any) -> int:
    """Return the bytes that DynamoDB counts of an item, or a value in it."""
    if isinstance(value, dict):
        return sum(len(name) * (len(name) > 2) + size_of(inner) for name, inner in value.items())
    if isinstance(value, list):
        return sum(map(size_of, value))
    return len(value.encode()) if isinstance(value, str) else len(value) if isinstance(value, bytes) else 1


def main() -> None:
    """Measure in several rounds, and print the medians."""
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    rounds = [measure() for _ in range(ROUNDS)]
    medians = {name: statistics.median(figures[name] for figures in rounds) for name in rounds[0]}
    date = datetime.now(UTC).date().isoformat()
    on = processor()
    rows = [(name, f"{medians[name]:{layout}}", text) for name, layout, text in ROWS]
    write_measured([(*row, on, date) for row in rows])


def measure() -> dict[str, float]:
    """Return the figures of one round, by name."""
    with emulator() as endpoint_url, tempfile.TemporaryDirectory() as folder:
        bench = Bench(endpoint_url, Path(folder))
        tag_ms, start_ms, tag_mib = bench.tag()
        figures = {"tag_ms": tag_ms, "tag_start_ms": start_ms, "tag_mib": tag_mib}
        figures |= {"thumbnail_ms": bench.thumbnail(), "batch_job_ms": bench.batch_job(), "changes_ms": bench.changes()}
        export_ms, export_mib, record_bytes = bench.export()
        return figures | {"export_ms": export_ms, "export_mib": export_mib, "record_bytes": record_bytes}


def write_measured(rows: list[tuple[str, ...]]) -> None:
    """Write these rows into infra/measured.csv in place of those of the same name, and print them."""
    measured = {row[0]: row for row in rows}
    with MEASURED_PATH.open(encoding="utf-8", newline="") as file:
        head, *before = csv.reader(file)
    with MEASURED_PATH.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([head, *(measured.get(row[0], row) for row in before)])
    csv.writer(sys.stdout, lineterminator="\n").writerows(rows)


if __name__ == "__main__":
    main()
