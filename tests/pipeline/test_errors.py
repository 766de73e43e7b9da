"""Errors: a closed list of reasons, and messages that name the thing."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime

from pipeline.errors import ImageRejected, TooLarge
from pipeline.reject_reasons import RejectReason


def test_the_reasons_are_a_closed_list() -> None:
    assert " ".join(RejectReason) == "empty bytes pixels too_small format not_image corrupt unsupported missing denied"


def test_a_rejection_says_its_reason_and_what_was_found() -> None:
    rejected = ImageRejected(RejectReason.BYTES, "s3://shop/a.jpg has 23,000,000 bytes; the limit is 20,000,000")

    assert str(rejected) == "bytes: s3://shop/a.jpg has 23,000,000 bytes; the limit is 20,000,000"
    assert rejected.reason is RejectReason.BYTES


def test_a_rejection_survives_the_way_from_another_process() -> None:
    rejected = ImageRejected(RejectReason.CORRUPT, "the file ends early")

    sent: ImageRejected = pickle.loads(pickle.dumps(rejected))

    assert (sent.reason, sent.detail) == (rejected.reason, rejected.detail)


def test_what_is_too_large_survives_it_too_and_is_known_again() -> None:
    written_at = datetime(2026, 3, 1, tzinfo=UTC)

    sent: TooLarge = pickle.loads(pickle.dumps(TooLarge("it has 9 bytes; the limit is 8", '"e1"', written_at)))

    assert str(sent) == "bytes: it has 9 bytes; the limit is 8"
    assert (sent.reason, sent.etag, sent.modified_at) == (RejectReason.BYTES, '"e1"', written_at)
