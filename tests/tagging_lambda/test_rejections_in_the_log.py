"""The log says which photos were rejected and why, on one line each, whatever their names hold."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pipeline.images import ImageRef
from pipeline.memory.images import MemoryImages
from pipeline.messages import TagImage
from pipeline.telemetry import make_logger
from tests.builders import jpeg, tagger

if TYPE_CHECKING:
    import pytest


def test_a_rejection_is_told_with_image_run_and_reason_and_nothing_of_the_file(
    capsys: pytest.CaptureFixture[str],
) -> None:
    images = MemoryImages()
    name = ImageRef("shop", 'a\n{"level": "forged"}\x1b[31m\u2028\u202e.jpg')
    images.put(name, b"STRANGER " * 9)
    images.put(ImageRef("shop", "good.jpg"), jpeg("red"))
    tagger(images=images, log=make_logger("telling").warning).reconcile(
        [TagImage(name, "run-1"), TagImage(ImageRef("shop", "good.jpg"), "run-1")]
    )
    said = capsys.readouterr().out
    told = json.loads(said)

    assert len(said.splitlines()) == 1
    assert said.isascii()
    assert (told["level"], told["message"]) == ("WARNING", "rejected")
    assert (told["image"], told["run"], told["reason"]) == (str(name), "run-1", "not_image")
    assert "STRANGER" not in said
    assert "\x1b" not in said
