"""The commands on records at rest: what is typed, what is printed, and how they end."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from infra.cli import main
from pipeline.aws.dynamodb import DynamoTable
from pipeline.keywords import KeywordTag, Vocabulary
from pipeline.model_version import CARD_NAME
from pipeline.records import ClassScore
from pipeline.stack import Stack
from pipeline.vectors import FeatureVector
from tagging_lambda.model_card import ModelCard
from tagging_lambda.words.projection import PROJECTION_NAME, STARTER, Projection
from tests.aws_world import AwsWorld
from tests.builders import shop
from tests.tagging_lambda.curate.conftest import ids, tagged

if TYPE_CHECKING:
    from collections.abc import Iterator

SANDAL, FOOTWEAR = Vocabulary.load().spelled("sandal")[0], Vocabulary.load().spelled("footwear")[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pin"], "name a keyword and one image"),
        (["pin", "sandal"], "name a keyword and one image"),
        (["pin", "sandal", "s3://shop/a.jpg", "--product", "p1"], "name a keyword and one image"),
        (["pin", "sandal", "a.jpg"], "'a.jpg' is not a place in S3"),
        (["suppress", "sandla", "s3://shop/a.jpg"], "no keyword is called 'sandla'; did you mean sandal"),
        (["release", "sandal", "--file", "f.csv"], "--file names everything itself"),
        (["pin", "--file", "nowhere.csv"], "nowhere.csv cannot be read"),
        (["pin", "sandal", "s3://shop/a.jpg", "--by", "x" * 65], "--by has 65 letters; the limit is 64"),
        (["undo"], "Missing option '--run'"),
    ],
)
def test_a_mistake_is_said_in_one_line(arguments, message, capsys):
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert message in said.err
    assert said.err.count("\n") == 1


@pytest.fixture
def table(ministack, aws_environment, monkeypatch) -> Iterator[DynamoTable]:
    """The table of a stack that has nothing else, on the embedded AWS."""
    world = AwsWorld(ministack)
    name = world.table()
    outputs = {output: {"Value": name} for output in Stack.output_names().values()}
    template = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}, "Outputs": outputs}
    from pipeline.aws.clients import client  # noqa: PLC0415 - of this fixture alone

    client("cloudformation", ministack).create_stack(StackName=name, TemplateBody=json.dumps(template))
    monkeypatch.setenv("AWS_ENDPOINT_URL", ministack)
    monkeypatch.setenv("CATALOG_TAGGER_STACK", name)
    return DynamoTable(world.dynamodb, name)


def at_rest(table, key="a.jpg"):
    return table.get_many([shop(key)])[shop(key)]


@pytest.mark.slow
def test_a_keyword_is_pinned_suppressed_and_released(table, capsys):
    table.put(replace(tagged(), keywords=(KeywordTag("n03001627", 0.9),)), 0)
    assert main(["pin", "Sandale", "s3://shop/a.jpg", "--by", "Zoë", "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == {"changed": 1, "unchanged": 0, "unknown": [], "failed": []}
    assert said.err == ""
    assert {SANDAL, FOOTWEAR} < set(ids(at_rest(table).keywords))
    assert main(["suppress", "n03001627", "--product", "p1"]) == 0
    assert capsys.readouterr().out == "chair (n03001627): 1 image changed, 0 were so already\n"
    assert "n03001627" not in ids(at_rest(table).keywords)
    main(["release", "sandal", "s3://shop/a.jpg"])
    main(["release", "n03001627", "s3://shop/a.jpg"])
    assert at_rest(table).keywords == (KeywordTag("n03001627", 0.9),)


@pytest.mark.slow
def test_an_image_on_no_record_is_a_mistake_alone_and_wants_attention_among_others(table, tmp_path, capsys):
    assert main(["pin", "sandal", "s3://shop/typo.jpg"]) == 2
    assert "nothing is known of s3://shop/typo.jpg; load it first" in capsys.readouterr().err
    table.put(tagged(), 0)
    file = tmp_path / "decisions.csv"
    file.write_text("decision,keyword,image\npin,sandal,s3://shop/a.jpg\nsuppress,hat,s3://shop/typo.jpg\n")
    assert main(["pin", "--file", str(file)]) == 1
    assert "1 on no record; load them first: s3://shop/typo.jpg" in capsys.readouterr().out


@pytest.mark.slow
def test_the_table_is_retagged_and_a_run_is_undone(table, real_model, capsys):
    card = ModelCard.load(real_model / CARD_NAME)
    sandal = next(each.class_index for each in card.classes if each.name == "sandal")
    scores = (ClassScore(sandal, 1.0),)
    old = tagged(model_version=card.version, taxonomy_version="old", run_id="run-1")
    table.put(replace(old, keywords=(), class_scores=scores), 0)
    assert main(["retag", "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["touched"] == 1
    assert at_rest(table).keywords == ()
    assert main(["retag", "--json"]) == 0
    run_id = json.loads(capsys.readouterr().out)["run_id"]
    assert {SANDAL, FOOTWEAR} <= set(ids(at_rest(table).keywords))
    assert main(["retag"]) == 0
    assert "done before                      1" in capsys.readouterr().out
    assert main(["undo", "--run", run_id, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["restored"] == 1
    assert (at_rest(table).keywords, at_rest(table).observation.run_id) == ((), "run-1")
    assert main(["undo", "--run", "run-9"]) == 2


@pytest.mark.slow
def test_a_head_is_learned_from_what_people_pinned(table, real_model, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CATALOG_TAGGER_HOME", str(tmp_path))
    monkeypatch.setenv("MODEL_DIR", str(real_model))
    space = Projection.load(STARTER / PROJECTION_NAME).space
    for number in range(12):
        direction = np.zeros(256, np.float32)
        direction[number % 2] = 1
        record = tagged(f"{number}.jpg", product=f"p{number}")
        table.put(replace(record, vector=FeatureVector.of(space, direction)), 0)
        assert main(["pin", ("sandal", "hat")[number % 2], f"s3://shop/{number}.jpg"]) == 0
    capsys.readouterr()
    assert main(["learn", "--from-table", "--name", "pins", "--json"]) == 0
    learned = json.loads(capsys.readouterr().out)
    assert (learned["photos"], learned["wrong"]["count"]) == (12, 0)
    assert learned["specific"]["count"] >= 10  # a word of six photos can miss its threshold in one of five folds
    assert {word["keyword"] for word in learned["words"]} == {"sandal", "hat"}
