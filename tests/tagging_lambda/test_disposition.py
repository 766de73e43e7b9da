"""Failures are sorted by who acts next."""

from __future__ import annotations

import itertools
import random

import pytest

from pipeline.errors import BadMessage, Denied, NoStack, NotBegun, RetryLater, RevisionConflict, UnreadableRecord
from tagging_lambda.disposition import BUG_RECEIVES, Acknowledge, BackOff, DeadLetter, Retry, describe, disposition_of
from tagging_lambda.reconcile import Outcome

FULL = BackOff(random=lambda: 1.0)
LATER, NO_TIME, BUG = RetryLater("SlowDown"), NotBegun("no time"), ZeroDivisionError("of the attacker")


def test_a_wait_doubles_up_to_a_quarter_of_an_hour():
    waits_s = [FULL.wait_s(receives) for receives in range(1, 12)]
    assert waits_s == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900, 900]


def test_chance_takes_away_up_to_half_of_a_wait():
    back_off = BackOff(random=random.Random(7).random)
    waits_s = [back_off.wait_s(9) for _ in range(1000)]
    assert min(waits_s) < 460
    assert max(waits_s) > 890
    assert all(450 <= wait_s <= 900 for wait_s in waits_s)


@pytest.mark.parametrize("receives", [1, 30, 1000, 10**6])
def test_a_wait_is_never_nothing_nor_longer_than_set(receives):
    assert 1 <= BackOff(3, random=lambda: 0.0).wait_s(receives) <= 3


@pytest.mark.parametrize("outcomes", [[], [Outcome.TAGGED], [Outcome.REJECTED, Outcome.GONE, Outcome.UNCHANGED]])
def test_a_message_whose_images_all_have_their_end_is_done(outcomes):
    assert disposition_of(outcomes, 1, FULL) == Acknowledge()


@pytest.mark.parametrize("failure", [LATER, RevisionConflict("again"), Denied("AccessDenied"), NoStack("no table")])
@pytest.mark.parametrize("receives", [1, 6, 1000])
def test_what_is_not_the_images_fault_comes_again_however_often(failure, receives):
    assert disposition_of([Outcome.TAGGED, failure], receives, FULL) == Retry(FULL.wait_s(receives))


@pytest.mark.parametrize("receives", [1, 6, 1000])
def test_a_lack_of_time_is_no_failure_and_comes_again_at_once(receives):
    assert disposition_of([NO_TIME, Outcome.TAGGED], receives, FULL) == Retry(0)


def test_a_bad_message_is_dead_at_once_with_its_error():
    assert disposition_of([BadMessage("the message is not JSON")], 1, FULL) == DeadLetter(
        "BadMessage: the message is not JSON"
    )


def test_a_bug_is_tried_again_and_then_dead():
    dispositions = [disposition_of([BUG], receives, FULL) for receives in range(1, BUG_RECEIVES + 2)]
    assert dispositions[:-2] == [Retry(5), Retry(10), Retry(20), Retry(40)]
    assert dispositions[-2:] == [DeadLetter("ZeroDivisionError")] * 2


@pytest.mark.parametrize("outcomes", [*itertools.permutations([BUG, LATER, Outcome.TAGGED])])
def test_a_message_is_not_dead_while_another_of_its_images_waits_for_its_look(outcomes):
    assert disposition_of(outcomes, 50, FULL) == Retry(900)


def test_a_bug_is_told_by_its_kind_and_place_and_not_in_a_strangers_words():
    try:
        {}["of the attacker"]
    except KeyError as error:
        words = describe(error)
    assert words.startswith("KeyError in test_a_bug_is_told_by_its_kind_and_place")
    assert "(test_disposition.py, line " in words
    assert "attacker" not in words


def test_a_record_that_cannot_be_read_ends_its_message_at_once_and_says_which():
    error = UnreadableRecord("s3://shop/a.jpg: the attribute 'revision' is missing")

    assert disposition_of([error], 1, FULL) == DeadLetter(f"UnreadableRecord: {error}")
    assert disposition_of([error, RetryLater("throttled")], 1, FULL) == Retry(FULL.wait_s(1))
