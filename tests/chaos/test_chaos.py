"""A short chaos run: nothing lost, nothing wrong. `make chaos` carries out the long ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.chaos.deployment import injured, injured_everywhere
from tests.chaos.proxy import KINDS
from tests.chaos.run import chaos, keep
from tests.chaos.shop import Delete, DisorderlyShop, Put, Send

if TYPE_CHECKING:
    from pathlib import Path

SEED, SIZE = 1, 120  # about a minute


@pytest.mark.slow
def test_every_image_has_one_end_and_the_right_one_whatever_happens(tmp_path: Path) -> None:
    ran = chaos(SEED, SIZE, tmp_path, quiet=True)
    table = "\n".join(f"{name:<52} {value:>10}" for name, value in ran.rows())

    assert ran.verdict.problems == [], f"{keep(ran)}\n{table}"
    assert sum(ran.verdict.ends.values()) == ran.used > SIZE * 0.95
    assert ran.verdict.dead["BadMessage"] >= ran.events["bad messages"] > 0
    assert ran.killed.total() > 0, table
    assert {name.split(":")[0] for name in ran.proxy} >= {"s3", "dynamodb"}, table


@pytest.mark.slow
def test_every_image_has_one_end_with_the_real_model_too(tmp_path: Path, real_model: Path) -> None:
    ran = chaos(SEED, SIZE // 2, tmp_path, is_real=True, quiet=True)

    assert ran.verdict.problems == [], keep(ran)
    assert ran.verdict.ends["tagged"] > 0


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
    assert {shop.files[etag] for etag in shop.files} >= set(range(50, 70))


def test_of_the_template_only_three_numbers_and_an_address_are_changed(root: Path) -> None:
    template = (root / "infra" / "template.yaml").read_text(encoding="utf-8")
    before, after = template.splitlines(), injured(template, "http://127.0.0.1:1").splitlines()
    added = [line.strip() for line in after if line not in before]

    assert [line for line in added if not line.startswith("VisibilityTimeout:")] == [
        "AWS_ENDPOINT_URL: http://127.0.0.1:1",
        'LONGEST_WAIT_S: "6"',
    ]
    assert len(after) - len(before) == 2
    assert len(added) == 4


def test_everywhere_means_every_function(root: Path) -> None:
    template = (root / "infra" / "template.yaml").read_text(encoding="utf-8")
    everywhere = injured_everywhere(injured(template, "http://127.0.0.1:1"), "http://127.0.0.1:1")

    assert everywhere.count("AWS_ENDPOINT_URL: http://127.0.0.1:1") == template.count("Type: AWS::Serverless::Function")


def test_every_service_has_injuries_of_its_own() -> None:
    assert all(len(set(kinds)) == len(kinds) >= 4 for kinds in KINDS.values())
