"""A short chaos run: nothing lost, nothing wrong. `make chaos` carries out the long ones."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from pipeline.keywords import Vocabulary
from pipeline.model_version import CARD_NAME
from tagging_lambda.classification_cache import ClassificationCache
from tagging_lambda.classify import Classifier
from tagging_lambda.image.decode import read_picture
from tagging_lambda.observe import ObservedPhoto
from tagging_lambda.words.classes_and_heads import KeywordMapper
from tests.chaos.damage import DAMAGES
from tests.chaos.deployment import injured, tiny_model
from tests.chaos.proxy import KINDS
from tests.chaos.run import chaos, keep
from tests.chaos.shop import Delete, DisorderlyShop, Put, Send

if TYPE_CHECKING:
    from pathlib import Path

SEED, SIZE, MESSAGES = 1, 200, 4  # with messages for each image


@pytest.mark.slow
@pytest.mark.timeout(2400)  # four minutes on an idle machine; on one that others used as well it took 10 to 17
def test_every_image_has_one_end_and_the_right_one_whatever_happens(tmp_path: Path) -> None:
    ran = chaos(SEED, SIZE, tmp_path, messages_a_key=MESSAGES, quiet=True)
    table = "\n".join(f"{name:<52} {value:>10}" for name, value in ran.rows())

    assert ran.verdict.problems == [], f"{keep(ran)}\n{table}"
    assert sum(ran.verdict.ends.values()) == ran.used > SIZE * 0.95
    assert ran.verdict.dead["BadMessage"] >= ran.done["bad messages"] > 0
    assert ran.killed.total() > 0, table
    assert {name.split(":")[0] for name in ran.proxy} >= {"s3", "dynamodb", "sqs"}, table
    assert ran.verdict.checks["damages noticed"] == len(DAMAGES) + 1, table
    assert ran.verdict.checks["searches compared"] > 0, table


def test_the_same_seed_is_the_same_disorder() -> None:
    first, again, other = (list(DisorderlyShop(seed, 50, "shop").events()) for seed in (1, 1, 2))

    assert first == again != other


def test_a_shop_in_disorder_has_everything_in_it() -> None:
    shop = DisorderlyShop(3, 200, "shop")
    events = list(shop.events())

    assert len(events) == shop.messages
    assert {type(event) for event in events} == {Put, Delete, Send}
    sends = [event for event in events if isinstance(event, Send)]
    assert any(send.is_bad for send in sends)
    assert len({send.body for send in sends}) < len(sends)
    puts = [event for event in events if isinstance(event, Put)]
    assert len({put.key for put in puts}) < len(shop.keys)
    assert len({put.data for put in puts}) < len(puts)
    assert {put.in_parts for put in puts} == {True, False}
    assert any(one.key == other.key and one.etag == other.etag for one, other in zip(puts, puts[2:], strict=False))
    assert {shop.truths[put.etag] for put in puts} >= {picture.truth for picture in shop.bad}


def test_what_is_expected_of_a_picture_is_what_the_product_says_in_peace(tmp_path: Path) -> None:
    shop = DisorderlyShop(1, 1, "shop")
    classifier = Classifier.load(tiny_model(tmp_path / "model") / CARD_NAME)
    mapper = KeywordMapper.of(Vocabulary.load(), [entry.id for entry in classifier.card.classes])
    reader = SimpleNamespace(read=lambda data: read_picture(data, classifier.card.input))

    pictures = [*shop.good, *shop.bad]
    results = ClassificationCache(reader, classifier).classify([picture.data for picture in pictures], lambda: 1e6)

    for picture, result in zip(pictures, results, strict=True):
        if isinstance(result, ObservedPhoto):
            keywords = mapper.keywords(result.class_scores, result.vector)
            assert {tag.keyword_id for tag in keywords} == set(picture.truth)
        else:
            assert str(result.reason) == picture.truth


def test_of_the_template_only_three_numbers_and_an_address_are_changed(root: Path) -> None:
    template = (root / "infra" / "template.yaml").read_text(encoding="utf-8")
    before, after = template.splitlines(), injured(template, "http://127.0.0.1:1").splitlines()
    added = [line.strip() for line in after if line not in before]
    functions = template.count("Type: AWS::Serverless::Function")

    assert Counter(line for line in added if not line.startswith("VisibilityTimeout:")) == {
        "AWS_ENDPOINT_URL: http://127.0.0.1:1": functions,
        'LONGEST_WAIT_S: "6"': 1,
    }
    assert len(after) - len(before) == functions + 1
    assert len(added) == functions + 3


def test_every_service_has_injuries_of_its_own() -> None:
    assert all(len(set(kinds)) == len(kinds) >= 4 for kinds in KINDS.values())


@pytest.mark.parametrize("skew_s", [86_400, -120])
def test_a_command_runs_by_a_clock_that_is_off(skew_s: int) -> None:
    show = "import sys; from tests.chaos.clock import set_clock_off; set_clock_off(float(sys.argv[1]));"
    show += "from pipeline.clock import utc_now; print(utc_now().timestamp())"
    done = subprocess.run([sys.executable, "-c", show, str(skew_s)], capture_output=True, text=True, check=True)

    assert abs(float(done.stdout) - time.time() - skew_s) < 60
