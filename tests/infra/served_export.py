"""A page over an export, served on this machine while a test reads it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from infra.export_page import ExportPage, make_server
from pipeline.images import LocalImage
from results_sink.connect import export_place
from tests.results_sink.small_shop import small_vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.records import TaggedImage


def local(record: TaggedImage, path: Path) -> TaggedImage:
    """Return the record as one of a photo of this machine."""
    return replace(record, observation=replace(record.observation, image=LocalImage.of(path)))


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve the page over the export in this folder, and give its address."""
    page = ExportPage(export_place(str(folder), {}), small_vocabulary(), pytest.fail)
    with make_server(page) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
