"""Settings: what is read of an environment, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import BadSettings, CallerError
from pipeline.images import ImageRef
from pipeline.settings import (
    DEFAULT_PRODUCT_PATTERN,
    ExportSettings,
    ProductPattern,
    TaggingSettings,
    home,
    model_dir,
    overlay_path,
)

NEEDED = {
    "TABLE_NAME": "table",
    "UPLOADS_QUEUE_URL": "https://sqs/1/uploads",
    "UPLOADS_DEAD_LETTER_QUEUE_URL": "https://sqs/1/uploads-dead-letters",
    "BACKFILL_QUEUE_URL": "https://sqs/1/backfill",
    "BACKFILL_DEAD_LETTER_QUEUE_URL": "https://sqs/1/backfill-dead-letters",
}


def test_tagging_needs_a_table_and_its_queues_and_nothing_else() -> None:
    settings = TaggingSettings.from_environment(NEEDED)

    assert settings.table_name == "table"
    assert settings.model_dir == Path("/var/task/model")
    assert settings.product_pattern.pattern.pattern == DEFAULT_PRODUCT_PATTERN
    assert settings.downloads == 10
    assert settings.longest_wait_s == 900
    assert settings.model_uri is None
    assert settings.metrics_namespace == "CatalogTagger"
    assert [(each.url, each.dead_letter_url) for each in settings.queues] == [
        ("https://sqs/1/uploads", "https://sqs/1/uploads-dead-letters"),
        ("https://sqs/1/backfill", "https://sqs/1/backfill-dead-letters"),
    ]


def test_the_model_lies_beside_the_code_where_nothing_else_is_said() -> None:
    unpacked = {**NEEDED, "LAMBDA_TASK_ROOT": "/code"}

    assert TaggingSettings.from_environment(unpacked).model_dir == Path("/code/model")
    assert TaggingSettings.from_environment(unpacked | {"MODEL_DIR": "/model"}).model_dir == Path("/model")


@pytest.mark.parametrize("name", NEEDED)
def test_a_missing_variable_is_named(name: str) -> None:
    for environment in ({key: NEEDED[key] for key in NEEDED if key != name}, NEEDED | {name: ""}):
        with pytest.raises(BadSettings, match=f"{name} is not set"):
            TaggingSettings.from_environment(environment)


@pytest.mark.parametrize("downloads", ["0", "65", "-1", "many", "1.5", "²"])
def test_a_number_out_of_range_is_refused_with_its_range(downloads: str) -> None:
    with pytest.raises(BadSettings, match="it must be a whole number from 1 to 64"):
        TaggingSettings.from_environment({**NEEDED, "DOWNLOADS": downloads})


@pytest.mark.parametrize("downloads", ["1", "64"])
def test_a_number_at_the_end_of_its_range_is_taken(downloads: str) -> None:
    assert TaggingSettings.from_environment({**NEEDED, "DOWNLOADS": downloads}).downloads == int(downloads)


def test_the_export_is_told_its_place() -> None:
    environment = {"TABLE_NAME": "table", "EXPORT_BUCKET": "bucket", "EXPORT_PREFIX": "catalogue"}

    assert ExportSettings.from_environment(environment).bucket == "bucket"
    for name in ("TABLE_NAME", "EXPORT_BUCKET"):
        with pytest.raises(BadSettings, match=f"{name} is not set"):
            ExportSettings.from_environment({key: value for key, value in environment.items() if key != name})


@pytest.mark.parametrize(
    ("key", "product"),
    [
        ("shoes/4711.jpg", "shoes/4711"),
        ("4711", "4711"),
        ("a/b.c/4711.front.JPG", "a/b.c/4711.front"),
        ("shoes/", "shoes/"),
        ("two\nlines.jpg", "two\nlines"),
    ],
)
def test_a_product_is_the_key_without_its_ending_by_default(key: str, product: str) -> None:
    assert ProductPattern.parse(DEFAULT_PRODUCT_PATTERN).product_of(ImageRef("shop", key)) == product


def test_a_shops_own_pattern_says_what_the_product_is() -> None:
    pattern = ProductPattern.parse(r"/(?P<product>\d+)_")

    assert pattern.product_of(ImageRef("shop", "shoes/4711_front.jpg")) == "4711"
    assert pattern.product_of(ImageRef("shop", "banner.jpg")) == "banner.jpg"


def test_every_key_gives_a_product_that_an_index_can_hold() -> None:
    pattern = ProductPattern.parse(DEFAULT_PRODUCT_PATTERN)

    assert len(pattern.product_of(ImageRef("shop", "k" * 1024))) == 1024


@pytest.mark.parametrize(
    ("text", "complaint"), [("(", "is not a regular expression"), ("(.*)", "has no group named product")]
)
def test_a_pattern_that_cannot_name_a_product_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(BadSettings, match=complaint):
        ProductPattern.parse(text)


def test_a_group_that_matches_nothing_means_the_whole_key() -> None:
    pattern = ProductPattern.parse(r"^(?P<product>\d*)")

    assert pattern.product_of(ImageRef("shop", "a.jpg")) == "a.jpg"


def test_home_is_where_it_is_said_to_be_or_in_the_checkout(root: Path) -> None:
    assert home({"CATALOG_TAGGER_HOME": "/elsewhere"}) == Path("/elsewhere")
    assert home({"CATALOG_TAGGER_HOME": "~/there"}) == Path.home() / "there"
    assert home({}) == root / ".catalog-tagger"
    assert model_dir({}) == root / ".catalog-tagger" / "model"
    assert model_dir({"MODEL_DIR": "/model"}) == Path("/model")


def test_a_product_too_long_for_an_index_key_cannot_come_from_a_key() -> None:
    with pytest.raises(CallerError):
        ImageRef("shop", "k" * 1025)


def test_the_shops_own_file_is_the_one_named_else_the_one_at_home(tmp_path: Path) -> None:
    environment = {"CATALOG_TAGGER_HOME": str(tmp_path)}
    assert overlay_path(environment) is None

    (tmp_path / "overlay.csv").write_text("id\n")
    assert overlay_path(environment) == tmp_path / "overlay.csv"
    assert overlay_path({**environment, "TAXONOMY_OVERLAY": "/other.csv"}) == Path("/other.csv")
    assert overlay_path({**environment, "TAXONOMY_OVERLAY": "-"}) is None


def test_a_deployed_function_looks_for_its_overlay_in_its_package_alone(tmp_path: Path) -> None:
    (tmp_path / "overlay.csv").write_text("id\n")
    environment = {"CATALOG_TAGGER_HOME": str(tmp_path), "LAMBDA_TASK_ROOT": "/var/task"}

    assert overlay_path(environment) is None


def test_a_home_that_cannot_be_read_holds_no_overlay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bool:
        if path.is_relative_to(tmp_path):
            raise PermissionError(13, "Permission denied", str(path))
        return False

    monkeypatch.setattr(Path, "is_file", refuse)

    assert overlay_path({"CATALOG_TAGGER_HOME": str(tmp_path)}) is None
