"""Work on many things at once: in order, bounded, and ended whole by an error."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from pipeline.ordered_map import map_in_order

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_answers_come_in_the_order_of_the_items_whoever_is_first() -> None:
    second_is_done = threading.Event()

    def work(item: int) -> int:
        if item == 1:
            assert second_is_done.wait(10)
        else:
            second_is_done.set()
        return item * 10

    assert list(map_in_order(work, [1, 2, 3], at_once=2, ahead=3)) == [10, 20, 30]


def test_no_items_are_no_answers() -> None:
    assert list(map_in_order(str, [], at_once=4, ahead=8)) == []


@pytest.mark.parametrize("ahead", [1, 7])
def test_no_more_items_are_taken_than_may_be_ahead(ahead: int) -> None:
    taken = answered = most = 0

    def items() -> Iterator[int]:
        nonlocal taken, most
        for item in range(1000):
            taken += 1
            most = max(most, taken - answered)
            yield item

    for _ in map_in_order(lambda item: item, items(), at_once=2, ahead=ahead):
        answered += 1

    assert answered == 1000
    assert most <= ahead + 1


def test_an_error_of_the_work_ends_it_and_begins_nothing_more() -> None:
    begun: list[int] = []
    stopped = threading.Event()

    def work(item: int) -> int:
        begun.append(item)
        if item == 3:
            raise ValueError("three")
        assert item < 3 or stopped.wait(10)
        return item

    answers = map_in_order(work, range(1000), at_once=2, ahead=50, on_stop=stopped.set)

    with pytest.raises(ValueError, match="three"):
        list(answers)
    assert len(begun) < 10


def test_an_error_of_the_items_ends_it_after_the_answers_to_those_before() -> None:
    def items() -> Iterator[int]:
        yield from range(25)
        raise ValueError("no more")

    answers: list[int] = []

    with pytest.raises(ValueError, match="no more"):
        answers.extend(map_in_order(lambda item: item, items(), at_once=2, ahead=10))
    assert answers == list(range(25))


def test_an_interrupt_among_the_items_stops_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise KeyboardInterrupt

    stops: list[str] = []
    answers = map_in_order(str, items(), at_once=2, ahead=10, on_stop=lambda: stops.append("stop"))

    with pytest.raises(KeyboardInterrupt):
        list(answers)
    assert stops == ["stop"]


def test_a_consumer_that_goes_away_ends_it() -> None:
    stops: list[str] = []
    answers = map_in_order(str, range(1000), at_once=2, ahead=10, on_stop=lambda: stops.append("stop"))

    next(answers)
    answers.close()

    assert stops == ["stop"]
