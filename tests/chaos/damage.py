"""The third act of a chaos run: damage done on purpose, which `audit` must notice, one kind at a time.

Each damage is done to a copy of the export of its own, so that all are audited at the same time. An item that cannot be
read is put into the table itself.
"""

from __future__ import annotations

import hashlib
import io
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.aws.clients import client
from tests.chaos.verdict import (
    SETTLED_S,
    ExportFiles,
    read_items,
    read_objects,
    report_of,
    start_command,
    wait_until,
)
from tests.chaos.words import read_words

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Mapping

    from tests.chaos.deployment import Deployed
    from tests.chaos.shop import DisorderlyShop
    from tests.chaos.verdict import Verdict

AT_ONCE = 3  # audits
UNCOMPARED = timedelta(seconds=70)  # images of the export's last minute are not compared


@dataclass(frozen=True)
class ExportCopy:
    """A copy of the whole export, to damage."""

    here: Deployed
    prefix: str

    @classmethod
    def make(cls, here: Deployed, name: str) -> ExportCopy:
        """Copy every file, bytes and all."""
        bucket, root = here.stack.export_bucket, here.stack.export_prefix
        s3, copy = client("s3", here.endpoint_url), cls(here, f"damaged/{name.replace(' ', '-')}/")
        for key in read_objects(here, bucket):
            if key.startswith(root):
                source = {"Bucket": bucket, "Key": key}
                s3.copy_object(Bucket=bucket, Key=copy.prefix + key.removeprefix(root), CopySource=source)
        return copy

    @property
    def files(self) -> ExportFiles:
        """Its files, to read."""
        return ExportFiles(self.here, self.prefix)

    def write(self, name: str, data: bytes) -> None:
        """Replace a file."""
        s3 = client("s3", self.here.endpoint_url)
        s3.put_object(Bucket=self.here.stack.export_bucket, Key=self.prefix + name, Body=data)

    def remove(self, name: str) -> None:
        """Remove a file."""
        s3 = client("s3", self.here.endpoint_url)
        s3.delete_object(Bucket=self.here.stack.export_bucket, Key=self.prefix + name)

    def settled_at(self) -> datetime:
        """Return the time before which an image must have been seen to be compared."""
        manifest = json.loads(self.files.read(self.files.latest()["manifest"]["name"]))
        return datetime.fromisoformat(manifest["scan_began_at"]) - UNCOMPARED

    def forge(self, part: str, change: Callable[[pa.Table], pa.Table]) -> None:
        """Change the rows of a part's first file, and make all sums right."""
        latest = self.files.latest()
        manifest_name = latest["manifest"]["name"]
        manifest = json.loads(self.files.read(manifest_name))
        file = manifest[part][0]
        name = f"{manifest_name.rpartition('/')[0]}/{file['name']}"
        table, sink = change(pq.read_table(io.BytesIO(self.files.read(name)))), io.BytesIO()
        pq.write_table(table, sink)
        self.write(name, sink.getvalue())
        file |= {**_sum_of(sink.getvalue()), "rows": len(table), "row_groups": [len(table)]}
        data = json.dumps(manifest).encode()
        self.write(manifest_name, data)
        self.write("latest.json", json.dumps(latest | {"manifest": {"name": manifest_name, **_sum_of(data)}}).encode())


def _sum_of(data: bytes) -> dict[str, Any]:
    version = f'"{hashlib.md5(data).hexdigest()}"'
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "version": version}


# ---- Damages ---------------------------------------------------------------------------------------------------------


def lose_pointer(copy: ExportCopy) -> None:
    """``latest.json`` is gone."""
    copy.remove("latest.json")


def cut_pointer(copy: ExportCopy) -> None:
    """``latest.json`` is cut in half."""
    data = copy.files.read("latest.json")
    copy.write("latest.json", data[: len(data) // 2])


def lose_delta(copy: ExportCopy) -> None:
    """A delta is gone."""
    copy.remove(_compared_delta(copy)["name"])


def leave_out_delta(copy: ExportCopy) -> None:
    """A delta is there and not named."""
    latest, left_out = copy.files.latest(), _compared_delta(copy)
    deltas = [delta for delta in latest["deltas"] if delta["name"] != left_out["name"]]
    copy.write("latest.json", json.dumps(latest | {"deltas": deltas}).encode())


def _compared_delta(copy: ExportCopy) -> dict[str, Any]:
    """Return the last delta with an image that was seen long enough ago to be compared."""
    rows = [(delta, row) for delta in copy.files.latest()["deltas"] for row in copy.files.rows(delta["name"])]
    seen = [(delta, row["observed_at"]) for delta, row in rows if row["observed_at"]]  # removed items were not seen
    return [delta for delta, observed_at in seen if observed_at < copy.settled_at()][-1]


def flip_byte(copy: ExportCopy) -> None:
    """One byte of the postings is another one."""
    latest = copy.files.latest()
    folder = latest["manifest"]["name"].rpartition("/")[0]
    name = f"{folder}/{json.loads(copy.files.read(latest['manifest']['name']))['postings'][0]['name']}"
    data = bytearray(copy.files.read(name))
    data[len(data) // 2] ^= 1
    copy.write(name, bytes(data))


def double_row(copy: ExportCopy) -> None:
    """An image is in the snapshot twice, with sums that are right."""

    def double(table: pa.Table) -> pa.Table:
        number = _comparable(copy, table.to_pylist())[0]
        return pa.concat_tables([table.slice(0, number + 1), table.slice(number)])

    copy.forge("images", double)


def swap_keywords(copy: ExportCopy) -> None:
    """Two images of the snapshot have each other's keywords, with sums that are right."""

    def swap(table: pa.Table) -> pa.Table:
        rows = table.to_pylist()
        first, *others = _comparable(copy, rows)
        other = next(number for number in others if rows[number]["keywords"] != rows[first]["keywords"])
        rows[first]["keywords"], rows[other]["keywords"] = rows[other]["keywords"], rows[first]["keywords"]
        return pa.Table.from_pylist(rows, table.schema)

    copy.forge("images", swap)


def _comparable(copy: ExportCopy, rows: list[dict[str, Any]]) -> list[int]:
    """Return the rows with keywords that no delta covers, and that were seen long enough ago to be compared."""
    covered = {row["image"] for delta in copy.files.latest()["deltas"] for row in copy.files.rows(delta["name"])}
    settled_at = copy.settled_at()
    return [
        number
        for number, row in enumerate(rows)
        if row["keywords"] and row["observed_at"] < settled_at and row["image"] not in covered
    ]


def halve_postings(copy: ExportCopy) -> None:
    """Half of the postings are gone, with sums that are right."""
    copy.forge("postings", lambda table: table.slice(len(table) // 2))


DAMAGES = (
    lose_pointer,
    cut_pointer,
    lose_delta,
    leave_out_delta,
    flip_byte,
    double_row,
    swap_keywords,
    halve_postings,
)


def judge_damages(verdict: Verdict, here: Deployed, shop: DisorderlyShop) -> None:
    """Damage a copy of the export in each way, and an item of the table, and see that `audit` notices each."""
    catalogue = f"s3://{shop.bucket}"
    _wait_until_some_are_settled(here)
    report_of(here, "export", "--json")
    _decide_on_the_oldest(here)
    for first in range(0, len(DAMAGES), AT_ONCE):
        audits = {}
        for damage in DAMAGES[first : first + AT_ONCE]:
            copy = ExportCopy.make(here, damage.__name__)
            damage(copy)
            address = f"s3://{here.stack.export_bucket}/{copy.prefix}"
            audits[damage] = start_command(here, "audit", catalogue, "--export", address, "--deep", "--json")
        for damage, audit in audits.items():
            _judge_audit(verdict, damage.__doc__ or "", audit)
    whole = ExportCopy.make(here, "nothing")
    report = report_of(
        here, "audit", catalogue, "--export", f"s3://{here.stack.export_bucket}/{whole.prefix}", "--json"
    )
    verdict.expect(not _noticed(report), f"a copy without damage is noticed: {_noticed(report)}")
    _judge_unreadable_item(verdict, here, catalogue)


def _judge_audit(verdict: Verdict, damage: str, audit: subprocess.Popen[str]) -> None:
    with audit:
        output, error = audit.communicate()
    report = json.loads(output) if output else {}
    is_noticed = audit.returncode == 1 and _noticed(report)
    verdict.expect(is_noticed, f"audit does not notice that {damage} It ends with {audit.returncode}: {error[-200:]}")
    verdict.checks["damages noticed"] += bool(is_noticed)


def _noticed(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an audit's report says is wrong with the export."""
    gaps = ("not_exported", "export_stale", "export_wrong", "exported_orphan")
    facts = {**report, **(report.get("export") or {})}
    return {name: facts[name] for name in (*gaps, "damages", "search_is_down") if facts.get(name)}


def _wait_until_some_are_settled(here: Deployed) -> None:
    """Wait until several tagged images were seen long enough ago: a fast machine has seen all in the last minute."""
    tagged = sorted(item["observed_at"] for item in read_items(here).values() if item["status"] == "tagged")
    settled_at = datetime.fromisoformat(tagged[len(tagged) // 4]) + UNCOMPARED
    time.sleep(max(0.0, (settled_at - datetime.now(UTC)).total_seconds()))


def _decide_on_the_oldest(here: Deployed) -> None:
    """Let a delta hold an image that was seen long enough ago to be compared."""
    tagged = [(item["observed_at"], image) for image, item in read_items(here).items() if item["status"] == "tagged"]
    image = min(tagged)[1]
    files = ExportFiles(here, here.stack.export_prefix)
    report_of(here, "pin", read_words().leaves(40)[-1], image, "--json")

    def is_told() -> bool:
        return any(row["image"] == image for delta in files.latest()["deltas"] for row in files.rows(delta["name"]))

    assert wait_until(is_told, SETTLED_S), "a decision is not in the export"


def _judge_unreadable_item(verdict: Verdict, here: Deployed, catalogue: str) -> None:
    item = next(item for item in read_items(here).values() if item["status"] == "tagged")
    dynamodb, key = client("dynamodb", here.endpoint_url), {"image": {"S": item["image"]}}
    update = {
        "TableName": here.stack.table_name,
        "Key": key,
        "UpdateExpression": "SET #status = :status",
        "ExpressionAttributeNames": {"#status": "status"},
    }
    dynamodb.update_item(**update, ExpressionAttributeValues={":status": {"S": "paused"}})
    report = report_of(here, "audit", catalogue, "--json")
    verdict.expect(report["unreadable"] == 1, f"audit counts {report['unreadable']} items that cannot be read, not 1")
    dynamodb.update_item(**update, ExpressionAttributeValues={":status": {"S": "tagged"}})
    verdict.checks["damages noticed"] += report["unreadable"] == 1
