"""What people said of keywords, as the commands that read it are typed: ratings, and evaluate --ratings."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from infra.cli import main
from pipeline.aws.ratings import DynamoRatings
from pipeline.images import ImageRef
from pipeline.ratings import Rating, Verdict

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from tests.aws_world import AwsWorld

SHOE = "n04120489"
ONE, TWO = (str(ImageRef("shop", name)) for name in ("a.jpg", "b.jpg"))


@pytest.fixture
def said(stack: AwsWorld, now: datetime) -> AwsWorld:
    """A stack whose people rated three keywords."""
    kept = DynamoRatings(stack.dynamodb, f"{stack.name}-ratings")
    kept.put(Rating(ONE, SHOE, Verdict.WRONG, "m", now, "anna"))
    kept.put(Rating(TWO, SHOE, Verdict.RIGHT, "m", now, "ben"))
    kept.put(Rating(ONE, "glitter\x1b[2J", Verdict.MISSING, "m", now))
    return stack


def damage(stack: AwsWorld) -> None:
    """Put what is no rating among the ratings."""
    item = {"image": {"S": ONE}, "part": {"S": "m##"}, "verdict": {"S": "missing"}}
    stack.dynamodb.put_item(TableName=f"{stack.name}-ratings", Item=item)


def test_ratings_are_written_as_parquet(said: AwsWorld, now: datetime, tmp_path: Path, capsys) -> None:
    file = tmp_path / "ratings.parquet"

    assert main(["ratings", str(file)]) == 0

    out, err = capsys.readouterr()
    assert (out, err) == (f"3 ratings: {file}\n", "")
    rows = pq.read_table(file).to_pylist()
    assert rows[1] == {
        "image": ONE,
        "keyword": SHOE,
        "verdict": "wrong",
        "model_version": "m",
        "by": "anna",
        "rated_at": now,
    }
    assert [row["by"] for row in rows] == ["", "anna", "ben"]


def test_ratings_as_json_are_one_document(said: AwsWorld, tmp_path: Path, capsys) -> None:
    file = tmp_path / "ratings.parquet"

    assert main(["ratings", str(file), "--json"]) == 0

    out, err = capsys.readouterr()
    assert (json.loads(out), err) == ({"file": str(file), "ratings": 3}, "")


def test_ratings_are_summed_up_for_a_program(said: AwsWorld, capsys) -> None:
    assert main(["evaluate", "--ratings", "--json"]) == 0

    document = json.loads(capsys.readouterr().out)
    assert document["ratings"] == 3
    assert document["keywords"][0] == {
        "model_version": "m",
        "keyword": "running shoe",
        "id": SHOE,
        "right": 1,
        "wrong": 1,
        "missing": 0,
        "share_right": 0.5,
    }
    assert (document["keywords"][1]["id"], document["keywords"][1]["missing"]) == (None, 1)


def test_ratings_are_summed_up_for_a_person_whose_terminal_nobody_moves(said: AwsWorld, capsys) -> None:
    assert main(["evaluate", "--ratings"]) == 0

    head, shoe, glitter = capsys.readouterr().out.splitlines()
    assert head.split() == ["model", "keyword", "right", "wrong", "missing", "share", "right"]
    assert shoe.split() == ["m", "running", "shoe", "1", "1", "0", "0.50"]
    assert "glitter" in glitter
    assert "\x1b" not in glitter


def test_where_nobody_rated_that_is_said(stack: AwsWorld, capsys) -> None:
    assert main(["evaluate", "--ratings"]) == 0

    assert "Nobody has rated a keyword yet" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["ratings", "{file}"], ["evaluate", "--ratings"]])
def test_what_is_no_rating_is_named_and_the_others_are_read(
    said: AwsWorld, tmp_path: Path, capsys, words: list[str]
) -> None:
    damage(said)

    assert main([word.format(file=tmp_path / "ratings.parquet") for word in words]) == 0

    out, err = capsys.readouterr()
    assert "3 ratings" in out or "running shoe" in out
    assert err.count("\n") == 1
    assert "'m##'" in err


@pytest.mark.parametrize("words", [["evaluate"], ["evaluate", "labels.csv", "--ratings"]])
def test_labels_and_ratings_are_not_asked_for_at_once(words: list[str], capsys) -> None:
    assert main(words) == 2
    assert "LABELS.csv, or ask for --ratings; one of the two" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_the_callers_mistake(said: AwsWorld, tmp_path: Path, capsys) -> None:
    assert main(["ratings", str(tmp_path / "nowhere" / "ratings.parquet")]) == 2

    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "nowhere" in err
