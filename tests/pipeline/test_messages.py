"""Messages: ours and those of S3, and everything else, which is a bad message and never a bug."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.errors import BadMessage, CallerError
from pipeline.images import MAX_KEY_BYTES, ImageRef
from pipeline.listing import Listing
from pipeline.messages import KIND, MAX_BODY_BYTES, MAX_PRODUCT_BYTES, UPLOAD_RUN, TagImage, checked_product, decode

# In the shapes that AWS documents for S3, EventBridge, SNS and Lambda's batches. Raw delivery by SNS adds nothing.
EVENTS = Path(__file__).with_name("events")
OURS = {"kind": KIND, "bucket": "shop", "key": "a.jpg", "run_id": "run-1"}


def event(name: str) -> str:
    """Return the raw text of an event as AWS sends it."""
    return EVENTS.joinpath(name).read_text(encoding="utf-8")


def fits(text: str) -> bool:
    """Say whether a key or a product may have this text."""
    return 0 < len(text.encode("utf-8", "surrogatepass")) <= min(MAX_KEY_BYTES, MAX_PRODUCT_BYTES)


any_text = st.text(st.characters(codec=None, exclude_categories=()), min_size=1, max_size=200).filter(fits)
honest_text = st.text(st.characters(codec="utf-8"), min_size=1, max_size=200).filter(fits)
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)


# ---- S3's events -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("s3_object_created_put.json", ["shoes/runner-01.jpg"]),
        ("s3_object_created_encoded_key.json", ["summer 2026/naïve+chic 100% 👟.jpg"]),
        ("s3_object_removed_delete.json", ["shoes/runner-01.jpg"]),
        ("s3_object_removed_delete_marker.json", ["shoes/runner-01.jpg"]),
        ("s3_lifecycle_expiration.json", ["old/runner-01.jpg"]),
        ("s3_two_records.json", ["a.jpg", "b.jpg"]),
        ("s3_object_restore_completed.json", ["archive/red flower.jpg"]),
        ("s3_test_event.json", []),
        ("eventbridge_object_created.json", ["summer 2026/naïve+chic 100% %20 👟.jpg"]),
        ("eventbridge_object_created_of_a_version.json", ["shoes/runner-01.jpg"]),
        ("eventbridge_object_deleted.json", ["shoes/runner-01.jpg"]),
        ("sns_s3_object_created.json", ["summer 2026/naïve+chic 100% 👟.jpg"]),
        ("sns_eventbridge_object_deleted.json", ["shoes/runner-01.jpg"]),
        ("sns_s3_test_event.json", []),
    ],
)
def test_an_event_of_s3_asks_for_a_look_at_each_of_its_objects(name: str, keys: list[str]) -> None:
    assert decode(event(name)) == tuple(TagImage(ImageRef("shop-photos", key), UPLOAD_RUN, None) for key in keys)


def test_every_message_of_a_lambda_batch_is_read_for_itself() -> None:
    bodies = [record["body"] for record in json.loads(event("lambda_sqs_batch.json"))["Records"]]

    assert decode(bodies[0]) == (TagImage(ImageRef("shop-photos", "shoes/runner-01.jpg")),)
    assert decode(bodies[1]) == (
        TagImage(ImageRef("shop-photos", "shoes/runner 02+é.jpg"), "20260301T120000Z-0a1b2c", "runner"),
    )
    assert decode(bodies[2]) == ()
    with pytest.raises(BadMessage, match="is not JSON"):
        decode(bodies[3])


# ---- ours ------------------------------------------------------------------------------------------------------------


@given(key=any_text, run_id=any_text, product=st.none() | any_text, again=st.booleans())
@example(key="a\x00\x01\x0b\x1f\x7f\x85\u2028\ufffe\uffff.jpg", run_id="r", product=None, again=True)
@example(key="\ud800.jpg", run_id="r", product=None, again=False)
@example(key="😀" * 256, run_id="r", product="p" * 1024, again=False)
def test_what_is_encoded_is_decoded_as_it_was_or_refused_if_it_is_no_unicode(
    key: str, run_id: str, product: str | None, again: bool
) -> None:
    message = TagImage(ImageRef("shop", key), run_id, product, again)
    texts = [text for text in (key, run_id, product) if text is not None]
    if any("\ud800" <= character <= "\udfff" for text in texts for character in text):
        with pytest.raises(BadMessage, match="is not valid Unicode"):
            decode(message.encode())
    else:
        assert decode(message.encode()) == (message,)


@given(key=honest_text, product=honest_text)
def test_a_body_is_ascii_and_ten_of_them_fit_into_one_call(key: str, product: str) -> None:
    body = TagImage(ImageRef("b" * 63, key), "r" * 64, product).encode()

    assert body.isascii()
    assert body.isprintable()
    assert len(body) * 10 <= MAX_BODY_BYTES


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"bucket": None}, "'bucket' must be a non-empty string"),
        ({"bucket": ""}, "'bucket' must be a non-empty string"),
        ({"bucket": "a/b"}, "the message's 'bucket' is not the name of a bucket"),
        ({"key": 7}, "'key' must be a non-empty string"),
        ({"key": "k" * 1025}, "a key has 1 to 1,024 bytes; this one has 1,025"),
        ({"run_id": None}, "'run_id' must be a non-empty string"),
        ({"product": ["p"]}, "'product' must be a non-empty string"),
        ({"product": ""}, "'product' must be a non-empty string"),
        ({"again": 1}, "'again' must be true or false"),
        ({"product": "p" * 1025}, "a product's id has 1 to 1,024 bytes; this one has 1,025"),
        ({"kind": "delete_image"}, "neither ours"),
    ],
)
def test_a_message_of_ours_that_is_damaged_says_where(change: dict[str, object], complaint: str) -> None:
    with pytest.raises(BadMessage, match=complaint):
        decode(json.dumps(OURS | change))


# ---- everything else -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        "",
        "null",
        "7",
        "[]",
        "{}",
        '"text"',
        "{",
        "[" * 100_000,
        "9" * 5000,
        '{"Records": null}',
        '{"Records": [null]}',
        '{"Records": ["s3"]}',
        '{"Records": [{"s3": null}]}',
        '{"Records": [{"s3": []}]}',
        '{"Records": [{"s3": {"bucket": "shop", "object": {"key": "a"}}}]}',
        '{"Records": [{"s3": {"bucket": {"name": "shop"}, "object": ["a"]}}]}',
        '{"Records": [{"s3": {"bucket": {"name": "shop"}, "object": {"key": ""}}}]}',
        '{"Records": [{"s3": {"bucket": {"name": "shop"}, "object": {"key": "\\ud800"}}}]}',
        '{"Records": [{"eventSource": "aws:sns"}]}',
        '{"source": "aws.s3"}',
        '{"source": "aws.s3", "detail": []}',
        '{"source": "aws.s3", "detail": {"bucket": "shop", "object": {"key": "a"}}}',
        '{"source": "aws.s3", "detail": {"bucket": {"name": "shop"}}}',
        '{"source": "aws.s3", "detail": {"bucket": {"name": "shop"}, "object": {"key": ""}}}',
        '{"source": "aws.sns", "detail": {"bucket": {"name": "shop"}, "object": {"key": "a"}}}',
        '{"kind": ["tag_image"]}',
        '{"Type": "Notification", "Message": "{}"}',
    ],
    ids=lambda body: body[:60],
)
def test_garbage_is_a_bad_message(body: str) -> None:
    with pytest.raises(BadMessage):
        decode(body)


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"Type": "Notification", "Message": "STRANGER"}),
        json.dumps({"Type": "Notification", "Message": {"STRANGER": 1}}),
        json.dumps({"Type": "Notification", "Message": json.dumps({"Type": "Notification", "Message": "STRANGER"})}),
        json.dumps(OURS | {"bucket": "STRANGER/"}),
        json.dumps(OURS | {"key": ["STRANGER"]}),
        json.dumps(OURS | {"product": {"STRANGER": 1}}),
        json.dumps(OURS | {"kind": "STRANGER"}),
        json.dumps({"STRANGER": "STRANGER", "Records": ["STRANGER"]}),
        json.dumps({"Records": [{"s3": {"bucket": {"name": "STRANGER/"}, "object": {"key": "a"}}}]}),
        json.dumps({"source": "aws.s3", "detail": {"bucket": {"name": "STRANGER/"}, "object": {"key": "a"}}}),
        "STRANGER",
        '{"STRANGER',
        '{"a": "STRANGER\n"}',
        '{"a": "\\uSTRANGER"}',
    ],
)
def test_what_is_said_of_a_bad_message_repeats_nothing_of_it(body: str) -> None:
    with pytest.raises(BadMessage) as bad:
        decode(body)

    assert "STRANGER" not in str(bad.value)


def test_a_body_larger_than_sqs_permits_is_not_even_parsed() -> None:
    with pytest.raises(BadMessage, match="has 1,048,577 characters; the limit is 1,048,576"):
        decode("9" * (MAX_BODY_BYTES + 1))


@given(st.text(max_size=100) | any_json.map(json.dumps))
def test_of_whatever_arrives_nothing_but_a_bad_message_comes_out(body: str) -> None:
    decoded_or_bad(body)


@given(any_json, any_json, any_json)
def test_whatever_stands_in_an_event_nothing_but_a_bad_message_comes_out(
    record: object, bucket: object, thing: object
) -> None:
    decoded_or_bad(json.dumps({"Records": record}))
    decoded_or_bad(json.dumps({"Records": [record]}))
    decoded_or_bad(json.dumps({"Records": [{"s3": record}]}))
    decoded_or_bad(json.dumps({"Records": [{"s3": {"bucket": bucket, "object": thing}}]}))
    decoded_or_bad(json.dumps({"Records": [{"s3": {"bucket": {"name": bucket}, "object": {"key": thing}}}]}))
    decoded_or_bad(json.dumps({"source": "aws.s3", "detail": record}))
    decoded_or_bad(json.dumps({"source": "aws.s3", "detail": {"bucket": {"name": bucket}, "object": {"key": thing}}}))
    decoded_or_bad(json.dumps({"Event": record}))


@given(st.sampled_from(["kind", "bucket", "key", "run_id", "product"]), any_json)
def test_whatever_stands_in_a_message_of_ours_nothing_but_a_bad_message_comes_out(name: str, value: object) -> None:
    decoded_or_bad(json.dumps(OURS | {name: value}))


def decoded_or_bad(body: str) -> None:
    """Decode the body, or see it refused."""
    try:
        decoded = decode(body)
    except BadMessage:
        return
    assert all(isinstance(message, TagImage) for message in decoded)


def test_a_product_is_taken_up_to_the_length_of_an_index_key() -> None:
    assert checked_product("é" * 512) == "é" * 512

    for product in ("", "é" * 512 + "x"):
        with pytest.raises(CallerError, match="a product's id has 1 to 1,024 bytes"):
            checked_product(product)


def test_a_listing_travels_with_its_image_and_an_empty_one_says_that_there_is_none() -> None:
    for listing in (Listing("Läufer", url="https://shop.example/7"), Listing(), None):
        message = TagImage(ImageRef("shop", "a.jpg"), "run-1", listing=listing)
        assert decode(message.encode()) == (message,)


@pytest.mark.parametrize("listing", ["title", ["title"], {"title": 1}, {"url": "javascript:x"}])
def test_a_listing_that_is_none_is_a_bad_message(listing: object) -> None:
    with pytest.raises(BadMessage):
        decode(json.dumps(OURS | {"listing": listing}))
