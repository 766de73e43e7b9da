"""Records, and how they lie in the table."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import table_layout
from pipeline.facts import FORMATS, STEPS, Margins, PhotoFacts
from pipeline.images import ImageRef
from pipeline.keywords import KeywordTag, Source
from pipeline.records import (
    SCORE_STEPS,
    ClassScore,
    Decision,
    DecisionKind,
    GoneImage,
    Observation,
    Previous,
    Record,
    RejectedImage,
    TaggedImage,
    UndoneImage,
    pack_class_scores,
    unpack_class_scores,
)
from pipeline.reject_reasons import RejectReason
from pipeline.vectors import FeatureVector
from tests.builders import photo_facts

text = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)
times = st.integers(0, 10**17).map(lambda us: datetime(2000, 1, 1, tzinfo=UTC) + timedelta(microseconds=us % 10**15))
looks = st.builds(
    Observation,
    image=st.builds(ImageRef, st.just("shop"), text),
    product=text,
    run_id=text,
    observed_at=times,
    etag=st.none() | text,
    object_time=st.none() | times,
    model_version=text,
    taxonomy_version=text,
)
class_scores = st.lists(
    st.builds(ClassScore, st.integers(0, 65_535), st.integers(0, SCORE_STEPS).map(lambda step: step / SCORE_STEPS)),
    max_size=10,
).map(tuple)
scores = st.floats(0, 1).map(lambda score: round(score, 12))
tags = st.lists(st.builds(KeywordTag, text, scores, st.sampled_from(Source)), max_size=10).map(tuple)
sizes = st.integers(1, 100_000)
decisions = st.lists(
    st.builds(Decision, text, st.sampled_from(DecisionKind), times, st.just("") | text), max_size=3
).map(tuple)
model_tags = st.lists(st.builds(KeywordTag, text, scores), max_size=10).map(tuple)
befores = st.builds(Previous, text, times, text, text, model_tags, class_scores, sizes, sizes, st.booleans())
previous = st.none() | befores
no_revision = st.just(0)
USUAL_FACTS = photo_facts(height_pixels=1200, margins=Margins(0.0, 0.0, 0.0, 0.0), brightness=0.8, clipped=0.4)
vectors = st.builds(
    FeatureVector, st.just("0123456789ab"), st.binary(max_size=384), st.floats(0, 1, width=32).map(float)
)
shares = st.integers(0, STEPS).map(lambda step: step / STEPS)
levels = st.integers(0, 255)
four_bytes = st.integers(0, 2**32 - 1)
facts = st.builds(
    PhotoFacts,
    width_pixels=four_bytes,
    height_pixels=four_bytes,
    file_bytes=four_bytes,
    format=st.sampled_from(FORMATS),
    border_rgb=st.tuples(levels, levels, levels),
    border_evenness=shares,
    border_whiteness=shares,
    frame=shares,
    fill=shares,
    margins=st.builds(Margins, shares, shares, shares, shares),
    sharpness=shares,
    brightness=shares,
    clipped=shares,
    colour_shares=st.lists(shares, min_size=12, max_size=12).map(tuple),
    colour_certainty=shares,
    palette=st.binary(min_size=15, max_size=15),
)
records = (
    st.builds(
        TaggedImage,
        looks,
        tags,
        class_scores,
        sizes,
        sizes,
        st.booleans(),
        no_revision,
        decisions,
        tags,
        previous,
        st.none() | vectors,
        st.none() | facts,
    )
    | st.builds(RejectedImage, looks, st.sampled_from(RejectReason), text, no_revision, decisions, previous)
    | st.builds(GoneImage, looks, no_revision, decisions)
    | st.builds(UndoneImage, looks, no_revision, decisions)
)


def a_look(etag: str | None = '"e1"', run_id: str = "run-1") -> Observation:
    """Return a look at a photo of usual names."""
    at = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
    image = ImageRef("catalogue-photos", "products/2026/spring/0123456-front.jpg")
    return Observation(image, "0123456", run_id, at, etag, at, "0123456789ab", "ba9876543210")


def a_tagged_image(observation: Observation | None = None) -> TaggedImage:
    """Return a photo with five keywords from thirteen classes, as many as photos have on average."""
    keywords = tuple(KeywordTag(f"n0412048{at}", 0.9876) for at in range(5))
    scores = tuple(ClassScore(770 + at, 5000 / SCORE_STEPS) for at in range(13))
    return TaggedImage(observation or a_look(), keywords, scores, 1600, 1200)


@given(records, st.integers(1, 10**9))
def test_a_record_is_read_from_its_item_as_it_was(record: Record, revision: int) -> None:
    assert table_layout.from_item(table_layout.to_item(record, revision)) == replace(record, revision=revision)


def test_an_item_that_was_laid_down_before_there_were_decisions_is_still_read() -> None:
    for record in (a_tagged_image(), RejectedImage(a_look(), RejectReason.EMPTY, "no bytes"), GoneImage(a_look())):
        item = table_layout.to_item(record, 1)
        assert not {"decisions", "overruled", "previous"} & set(item)
        assert table_layout.from_item(item) == replace(record, revision=1)


@given(class_scores)
def test_class_scores_are_four_bytes_each_and_come_back_exactly(scores: tuple[ClassScore, ...]) -> None:
    packed = pack_class_scores(scores)

    assert len(packed) == 4 * len(scores)
    assert unpack_class_scores(packed) == scores


@given(st.floats(0, 1))
def test_a_packed_score_is_off_by_half_a_step_at_most(score: float) -> None:
    [unpacked] = unpack_class_scores(pack_class_scores((ClassScore(1, score),)))

    assert abs(unpacked.score - score) <= 0.5 / SCORE_STEPS + 1e-12
    assert 0 <= unpacked.score <= 1


def test_an_image_with_the_longest_key_has_an_index_key_that_dynamodb_permits() -> None:
    long = ImageRef("b" * 63, "k" * 1024)
    longest = ImageRef("b" * 63, "k" * (1024 - len("s3:///") - 63))

    assert len(table_layout.key_of(long)["image"]) <= 1024
    assert table_layout.key_of(longest) == {"image": str(longest)}
    assert table_layout.key_of(long) != table_layout.key_of(ImageRef("b" * 63, "k" * 1023 + "x"))


def test_a_tombstone_outlives_every_message_that_could_wait_for_it() -> None:
    observed_at = datetime(2026, 3, 1, tzinfo=UTC)
    observation = Observation(ImageRef("shop", "a"), "p", "r", observed_at, None, None, "m", "t")

    assert GoneImage(observation).expires_at - observed_at > 2 * timedelta(days=14)


def test_times_rest_in_utc() -> None:
    berlin = timezone(timedelta(hours=1))
    observed_at = datetime(2026, 3, 1, 13, tzinfo=berlin)
    observation = Observation(ImageRef("shop", "a"), "p", "r", observed_at, '"e"', observed_at, "m", "t")

    record = table_layout.from_item(table_layout.to_item(GoneImage(observation), 1))

    assert record.observation.observed_at.isoformat() == "2026-03-01T12:00:00+00:00"
    assert record.observation.object_time == observed_at


@pytest.mark.parametrize("reason", RejectReason)
def test_a_reason_rests_as_its_word(reason: RejectReason) -> None:
    observation = Observation(ImageRef("shop", "a"), "p", "r", datetime(2026, 3, 1, tzinfo=UTC), None, None, "m", "t")

    assert table_layout.to_item(RejectedImage(observation, reason, "because"), 1)["reason"] == reason.value


def test_a_run_keeps_what_the_run_before_said_of_the_same_object_only() -> None:
    record = a_tagged_image()

    kept = Previous.of(record, record.observation.etag, "run-2")

    assert kept is not None
    assert (kept.run_id, kept.keywords, kept.class_scores) == ("run-1", record.keywords, record.class_scores)
    assert Previous.of(record, '"another"', "run-2") is None
    assert Previous.of(record, None, "run-2") is None
    assert Previous.of(None, '"e1"', "run-2") is None
    assert Previous.of(GoneImage(a_look(None)), '"e1"', "run-2") is None


def test_a_run_that_looks_twice_keeps_what_was_before_its_first_look() -> None:
    before = Previous.of(a_tagged_image(), '"e1"', "run-2")
    second = replace(a_tagged_image(a_look(run_id="run-2")), previous=before)

    assert Previous.of(second, '"e1"', "run-2") == before


def test_a_rejection_is_no_state_that_a_run_is_taken_back_to() -> None:
    rejected = RejectedImage(a_look(), RejectReason.CORRUPT, "it ends too early")

    assert Previous.of(rejected, '"e1"', "run-2") is None


def test_a_photo_of_usual_names_that_was_tagged_twice_costs_one_write_unit() -> None:
    """DynamoDB counts a write by the started kilobyte: names and values in UTF-8, a number as two digits a byte."""
    record = replace(a_tagged_image(), previous=Previous.of(a_tagged_image(), '"e1"', "20260301T120000Z-a1b2c3"))

    assert 700 < size_bytes(table_layout.to_item(record, 2)) <= 1024


def test_a_photo_of_usual_names_with_its_vector_and_facts_costs_one_write_unit() -> None:
    vector = FeatureVector("0123456789ab", bytes(256), 1.0)
    record = replace(a_tagged_image(), vector=vector, facts=USUAL_FACTS)

    assert 700 < size_bytes(table_layout.to_item(record, 2)) <= 1024


def test_a_photo_with_a_vector_that_was_tagged_twice_costs_two_write_units() -> None:
    """docs/cost.md reckons with it."""
    before = Previous.of(a_tagged_image(), '"e1"', "20260301T120000Z-a1b2c3")
    record = replace(a_tagged_image(), previous=before, vector=FeatureVector("0123456789ab", bytes(256), 1.0))

    assert 1024 < size_bytes(table_layout.to_item(replace(record, facts=USUAL_FACTS), 2)) <= 2048


def size_bytes(value: object) -> int:
    """Return the size that Amazon DynamoDB's documentation gives a value."""
    match value:
        case dict():
            return sum(len(name) + size_bytes(each) + 1 for name, each in value.items()) + 3
        case list():
            return sum(size_bytes(each) + 1 for each in value) + 3
        case bool():
            return 1
        case str():
            return len(value.encode())
        case bytes():
            return len(value)
        case _:
            return len(str(value).replace(".", "")) // 2 + 2


def test_what_was_undone_is_forgotten_unless_a_person_decided_anything() -> None:
    pin = Decision("n04120489", DecisionKind.PIN, datetime(2026, 3, 1, tzinfo=UTC))

    assert UndoneImage(a_look(None)).expires_at == GoneImage(a_look(None)).expires_at
    assert UndoneImage(a_look(None), decisions=(pin,)).expires_at is None
