"""The export function as Lambda calls it."""

from __future__ import annotations

import json
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from pipeline.errors import RetryLater
from pipeline.memory.files import MemoryFiles
from pipeline.telemetry import make_logger, make_metrics
from results_sink.export.export import OVERTAKEN, Exporter, Work, make_handler
from results_sink.export.manifest import LATEST_NAME
from tests.results_sink.small_shop import NOW, Breaking, exported, keep_time, small_shop, small_vocabulary, table_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.ports import FileStore

CONTEXT = SimpleNamespace(
    function_name="export",
    memory_limit_in_mb=1769,
    invoked_function_arn="arn:aws:lambda:us-east-1:000000000000:function:export",
    aws_request_id="1",
    get_remaining_time_in_millis=lambda: 900_000,
)


def handler_of(files: FileStore, work: Path) -> Callable[[object, object], dict[str, object]]:
    """Return the handler of a small shop."""
    exporter = Exporter(
        table=table_of(small_shop()),
        files=keep_time(files, lambda: NOW),
        vocabulary=small_vocabulary(),
        new_id=lambda: "id0",
        work=work,
    )
    does = Work(exporter.export, lambda _: None, list, lambda _: None)
    return make_handler(work, does, make_logger("export"), make_metrics("export"))


def test_it_exports_whatever_the_event_says_and_counts_the_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = MemoryFiles()

    answer = handler_of(files, tmp_path / "work")({"source": "a schedule"}, CONTEXT)

    assert answer == {"snapshot": "20260301T120000.000000Z-id0", "rows": 10, "published": True}
    assert LATEST_NAME in files.files
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["ImagesExported"] for line in lines if "ImagesExported" in line] == [[10.0]]


@pytest.mark.filterwarnings("ignore:No application metrics")  # what nobody reads is not counted
def test_an_export_that_a_newer_one_overtook_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = MemoryFiles()
    exported(files, tmp_path / "work", at=NOW - timedelta(minutes=5))
    handle = handler_of(files, tmp_path / "work")
    times = iter([NOW - timedelta(minutes=10)])  # it begins before the other, and ends after it
    files.clock = lambda: next(times, NOW)

    answer = handle({}, CONTEXT)

    assert answer == {"snapshot": "20260301T115000.000000Z-id0", "rows": 10, "published": False}
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [("WARNING", OVERTAKEN)]


def test_what_a_call_left_whose_time_was_over_is_removed_first(tmp_path: Path) -> None:
    left = tmp_path / "work" / "export-old" / "images-runs" / "0.run"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")

    handler_of(MemoryFiles(), tmp_path / "work")({}, CONTEXT)

    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.filterwarnings("ignore:No application metrics")  # nothing was exported
def test_a_failure_is_lambdas_to_try_again(tmp_path: Path) -> None:
    with pytest.raises(RetryLater):
        handler_of(Breaking(), tmp_path / "work")({}, CONTEXT)


def test_it_folds_where_the_event_says_so(tmp_path: Path) -> None:
    exporter = Exporter(table_of([]), MemoryFiles(), small_vocabulary(), lambda: "id0", tmp_path / "work")
    folded: list[float] = []

    does = Work(exporter.export, folded.append, list, lambda _: None)
    handle = make_handler(tmp_path / "work", does, make_logger("export"), make_metrics("export"))
    with pytest.warns(UserWarning, match="No application metrics"):
        answer = handle({"fold": True}, CONTEXT)

    assert folded == [870.0]
    assert answer == {"snapshot": None, "rows": 0, "published": False}
