"""docs/export.md and the code say the same."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.coverage import MOST_FOLDERS, OTHERS
from pipeline.keywords import LANGUAGES
from results_sink import cli, search_cli
from results_sink.export.cleanup import RUNNING, Rule
from results_sink.export.export import KEPT_SNAPSHOTS
from results_sink.export.fold import LEAST_DELTAS, MOST_ROWS
from results_sink.export.manifest import SCHEMA_VERSION
from results_sink.export.postings_layout import Sizes
from results_sink.export.publish import CLOCK_TOLERANCE
from results_sink.export.summary_tables import COVERAGE_SCHEMA, keywords_schema
from results_sink.export.tables import images_schema, postings_schema
from results_sink.search.search import LIMIT

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "export.md").read_text(encoding="utf-8")
TYPES = {"bool": "bool", "string": "string", "int64": "int64", "double": "double", "timestamp": "timestamp[us, tz=UTC]"}


SCHEMAS = [
    ("images", images_schema(LANGUAGES)),
    ("postings", postings_schema(LANGUAGES)),
    ("coverage", COVERAGE_SCHEMA),
    ("keywords", keywords_schema(LANGUAGES)),
]


@pytest.mark.parametrize(("section", "schema"), SCHEMAS)
def test_every_column_is_told_with_its_type_and_in_its_order(section, schema) -> None:
    told = TEXT.split(f"## {section}/")[1].split("##")[0]
    rows = re.findall(r"^\| `(\w+)` \| ([\w ]+) \|", told, re.MULTILINE)
    fields = list(schema)

    assert [name for name, _ in rows] == [field.name for field in fields]
    for (_, kind), field in zip(rows, fields, strict=True):
        plain = str(field.type).split("<")[0]
        assert TYPES.get(kind, kind.split(" ")[0]) == plain


def test_the_numbers_are_those_of_the_code() -> None:
    assert f"chema version {SCHEMA_VERSION}." in TEXT.replace("\n", " ")
    assert f"up to {Sizes().row_group_rows:,} rows" in TEXT
    assert f"up to {MOST_FOLDERS:,} folders" in TEXT
    assert f"`{OTHERS}`" in TEXT
    assert f"`--keep`, {KEPT_SNAPSHOTS} with the newest" in TEXT
    assert f"of {MOST_ROWS:,} rows together" in TEXT
    assert LEAST_DELTAS == 20
    assert "twenty deltas or more" in TEXT
    assert timedelta(minutes=1) == CLOCK_TOLERANCE
    assert "may be a minute apart" in TEXT
    assert timedelta(days=1) == RUNNING
    assert "a day after the youngest of them was written" in TEXT
    assert [rule for rule in Rule if f"| {rule} |" not in TEXT] == []


def test_the_commands_say_the_defaults_of_the_code() -> None:
    defaults = {parameter.name: parameter.default for parameter in (*cli.export.params, *search_cli.search.params)}

    assert (defaults["keep"], defaults["limit"]) == (KEPT_SNAPSHOTS, LIMIT)


def test_a_language_of_the_shop_is_a_field_of_the_words() -> None:
    fields = postings_schema((*LANGUAGES, "pt-BR"))

    assert [field.name for field in fields.field("words").type] == [*LANGUAGES, "pt-BR"]
    assert [field.name for field in fields.field("synonyms").type] == [*LANGUAGES, "pt-BR"]
