"""The commands: what they say, to a person and to a program, and their exit codes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import click
import pytest

from catalog_loader.commands import audit as audit_command
from catalog_loader.commands import load as load_command
from catalog_loader.commands import redrive as redrive_command
from catalog_loader.commands import status as status_command
from catalog_loader.commands.load import LoadRequest
from catalog_loader.compare import Versions
from catalog_loader.console import Console
from catalog_loader.estimate import Estimator
from catalog_loader.formatting import dollars
from pipeline.errors import CallerError, Denied, RetryLater
from pipeline.images import BucketPrefix, ImageRef, ListedImage
from pipeline.keywords import Vocabulary
from pipeline.memory.dead_letters import MemoryDeadLetters
from pipeline.memory.images import MemoryImages
from pipeline.memory.queue import MemoryQueue
from pipeline.messages import TagImage
from pipeline.reject_reasons import RejectReason
from tagging_lambda.words.classes_and_heads import KeywordMapper
from tagging_lambda.words.head_store import InstalledHeads
from tagging_lambda.words.heads import Head
from tests.catalog_loader.conftest import TAXONOMY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pipeline.dead_letters import DeadLetter
    from tests.catalog_loader.conftest import Twins

PLACE = "s3://shop/"
TO_A_PERSON, TO_A_PROGRAM = (Console(as_json, click.echo, partial(click.echo, err=True)) for as_json in (False, True))


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Return the one document that was printed; nothing else was said."""
    out, err = capsys.readouterr()
    assert err == ""
    document: dict[str, Any] = json.loads(out)
    return document


# ---- load ------------------------------------------------------------------------------------------------------------


def test_load_says_what_was_found_sent_and_skipped(twins: Twins, capsys: pytest.CaptureFixture[str]) -> None:
    twins.put("a.jpg", "b.jpg", "folder/", "notes.txt", "more.txt")

    assert load_command.load(LoadRequest(PLACE, run_id="run-1"), twins.connect, TO_A_PERSON) == 0

    assert capsys.readouterr().out.splitlines() == [
        "run      run-1",
        "found    5",
        "sent     2",
        "skipped  3 (2 .txt, 1 folder)",
        "failed   0",
    ]


def test_load_says_it_to_a_program_in_one_document(twins: Twins, capsys: pytest.CaptureFixture[str]) -> None:
    twins.put("a.jpg", "ü.jpg", "notes.txt")

    assert load_command.load(LoadRequest(PLACE, run_id="run-1"), twins.connect, TO_A_PROGRAM) == 0

    assert said(capsys) == {
        "run_id": "run-1",
        "found": 3,
        "sent": 2,
        "skipped": 1,
        "skipped_by": {".txt": 1},
        "failed": 0,
        "first_failed": [],
        "resume_after": None,
    }


def test_each_load_has_an_id_of_its_own_that_sorts_by_time(twins: Twins, capsys: pytest.CaptureFixture[str]) -> None:
    twins.put("a.jpg")
    load_command.load(LoadRequest(PLACE), twins.connect, TO_A_PROGRAM)
    first = said(capsys)["run_id"]
    load_command.load(LoadRequest(PLACE), twins.connect, TO_A_PROGRAM)

    assert [message.run_id for message in twins.backfill.messages] == [first, said(capsys)["run_id"]]
    assert first[:2] == "20"


@pytest.mark.parametrize("run_id", ["", "a b", "upload", "x" * 65, "-x", "a/b"])
def test_an_id_that_is_none_is_the_callers_mistake(twins: Twins, run_id: str) -> None:
    with pytest.raises(CallerError):
        load_command.load(LoadRequest(PLACE, run_id=run_id), twins.connect, TO_A_PERSON)


def test_what_could_not_be_sent_is_named_and_wants_attention(twins: Twins, capsys: pytest.CaptureFixture[str]) -> None:
    class Stubborn(MemoryQueue):
        def send(self, messages: Sequence[TagImage]) -> tuple[TagImage, ...]:
            return tuple(message for message in messages if message.image.key == "b.jpg")

    twins.backfill = Stubborn()
    twins.put("a.jpg", "b.jpg", "c.jpg")

    assert load_command.load(LoadRequest(PLACE), twins.connect, TO_A_PERSON, sleep=lambda _: False) == 1

    assert capsys.readouterr().out.splitlines()[2:] == ["sent     2", "skipped  0", "failed   1", "  s3://shop/b.jpg"]


def test_nothing_at_the_place_wants_attention(twins: Twins, capsys: pytest.CaptureFixture[str]) -> None:
    assert load_command.load(LoadRequest("s3://shop/sheos/"), twins.connect, TO_A_PERSON) == 1

    assert capsys.readouterr().err == "there are no images at s3://shop/sheos/\n"


@pytest.mark.parametrize("start_after", ["s3://shpo/a.jpg", "s3://shop/hats/a.jpg", "s3://shop"])
def test_an_image_to_start_after_that_is_not_below_the_place_is_the_callers_mistake(
    twins: Twins, start_after: str
) -> None:
    twins.put("shoes/A.jpg", "shoes/z.jpg")

    with pytest.raises(CallerError, match=f"{start_after} is not below s3://shop/shoes/"):
        load_command.load(LoadRequest("s3://shop/shoes/", start_after=start_after), twins.connect, TO_A_PERSON)
    assert twins.sent == []


def test_rejected_images_are_sent_to_be_read_once_more(twins: Twins) -> None:
    twins.put("bad.jpg", "good.jpg", "new.jpg")
    twins.reject("bad.jpg")
    twins.tag("good.jpg")

    assert load_command.load(LoadRequest(PLACE, only=("rejected", "missing")), twins.connect, TO_A_PERSON) == 0
    assert {(message.image.key, message.again) for message in twins.backfill.messages} == {
        ("bad.jpg", True),
        ("new.jpg", False),
    }


def test_stale_images_are_held_against_the_heads_that_retag_applies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CATALOG_TAGGER_HOME", str(tmp_path))
    without = load_command.current_versions(None, None).taxonomy
    installed = InstalledHeads.of_this_machine()
    starter = installed.load()[0]
    installed.install("shop", Head(replace(starter.card, name="shop"), starter.coefficients, starter.bias))
    mapper = KeywordMapper.of(Vocabulary.load(), (), installed.load())
    assert load_command.current_versions(None, None).taxonomy == mapper.version != without


def test_stale_images_are_held_against_the_model_that_was_built_here(
    twins: Twins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODEL_DIR", str(tmp_path))
    assert load_command.current_versions(None, "words").model is None
    weights = {"precision": "int8", "sha256": "0123456789abcdef"}
    (tmp_path / "card.json").write_text(json.dumps({"served": "int8", "files": [weights]}), encoding="utf-8")
    versions = load_command.current_versions(None, TAXONOMY)
    assert versions == Versions("0123456789ab", TAXONOMY)
    twins.put("a.jpg")
    twins.tag("a.jpg")

    assert load_command.load(LoadRequest(PLACE, only=("stale",), versions=versions), twins.connect, TO_A_PERSON) == 0
    assert [message.image.key for message in twins.backfill.messages] == ["a.jpg"]


def test_where_no_model_was_built_that_is_said_since_every_model_is_current(
    twins: Twins, capsys: pytest.CaptureFixture[str]
) -> None:
    twins.put("a.jpg")
    load_command.load(LoadRequest(PLACE, only=("stale",)), twins.connect, TO_A_PERSON)

    assert "No model was built here, so every model counts as current" in capsys.readouterr().err


def test_nothing_behind_the_last_image_is_done(twins: Twins) -> None:
    twins.put("a.jpg")

    assert load_command.load(LoadRequest(PLACE, start_after="a.jpg"), twins.connect, TO_A_PERSON) == 0


@pytest.mark.parametrize("source", ["nowhere.csv", "https://shop", "s3://", "."])
def test_a_source_that_is_none_is_the_callers_mistake(twins: Twins, source: str) -> None:
    with pytest.raises(CallerError):
        load_command.load(LoadRequest(source), twins.connect, TO_A_PERSON)


def test_a_manifest_with_a_mistake_at_its_end_sends_nothing(twins: Twins, tmp_path: Path) -> None:
    path = tmp_path / "catalogue.csv"
    path.write_text("image\n" + "s3://shop/a.jpg\n" * 100 + "oops\n")

    with pytest.raises(CallerError, match=r"catalogue\.csv, line 102: 'oops' is not a place in S3"):
        load_command.load(LoadRequest(str(path)), twins.connect, TO_A_PERSON)
    assert twins.sent == []


def test_a_manifest_is_loaded_whole(twins: Twins, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "catalogue.csv"
    path.write_text("image,product\n" + "".join(f"s3://shop/{at:02}.jpg,p{at}\n" for at in range(25)))

    assert load_command.load(LoadRequest(str(path)), twins.connect, TO_A_PROGRAM) == 0

    assert (said(capsys)["sent"], twins.backfill.calls) == (25, 3)
    assert {message.product for message in twins.backfill.messages} == {f"p{at}" for at in range(25)}


def test_a_load_that_would_cost_too_much_stops_and_says_where_to_go_on(
    twins: Twins, capsys: pytest.CaptureFixture[str]
) -> None:
    twins.put("a.jpg", "b.jpg", "c d.jpg", "e.jpg")
    cost_usd = 3.5 * LoadRequest(PLACE).estimator().image_usd

    assert load_command.load(LoadRequest(PLACE, max_cost_usd=cost_usd), twins.connect, TO_A_PERSON) == 1
    assert twins.sent == ["a.jpg", "b.jpg", "c d.jpg"]
    assert capsys.readouterr().out.splitlines()[-1] == "Stopped. Go on with --start-after 's3://shop/c d.jpg'"

    rest = LoadRequest(PLACE, max_cost_usd=cost_usd, start_after="s3://shop/c d.jpg")
    assert load_command.load(rest, twins.connect, TO_A_PERSON) == 0
    assert twins.sent == ["a.jpg", "b.jpg", "c d.jpg", "e.jpg"]


def test_a_load_warns_before_it_sends_where_the_pattern_merges_folders(
    twins: Twins, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A manifest that names products needs no pattern."""
    twins.put(*(f"SKU-{number}/front.jpg" for number in range(20)))
    twins.product_pattern = r"(?P<product>[^/.]+)[.]jpg$"

    assert load_command.load(LoadRequest(PLACE), twins.connect, TO_A_PERSON) == 0
    err = capsys.readouterr().err
    assert "SKU-0/front.jpg is a photo of the product front\n" in err
    assert "Warning: 20 of the first 20 photos, from 20 folders, are one product, front" in err
    manifest = tmp_path / "m.csv"
    manifest.write_text("image,product\n" + "".join(f"s3://shop/SKU-{n}/front.jpg,SKU-{n}\n" for n in range(20)))
    assert load_command.rehearse(LoadRequest(str(manifest)), twins.connect, TO_A_PERSON) == 0
    assert capsys.readouterr().err == ""


def test_a_load_that_may_cost_less_than_an_image_says_so(twins: Twins, capsys: pytest.CaptureFixture[str]) -> None:
    twins.put("a.jpg")

    assert load_command.load(LoadRequest(PLACE, max_cost_usd=0), twins.connect, TO_A_PERSON) == 1

    assert twins.sent == []
    assert capsys.readouterr().err.splitlines() == [
        "a.jpg is a photo of the product a",
        "--max-cost is reached before the first image",
    ]


def test_a_load_that_breaks_off_says_what_was_sent_and_where_to_go_on(
    twins: Twins, capsys: pytest.CaptureFixture[str]
) -> None:
    class Breaking(MemoryImages):
        def listing(self, place: BucketPrefix, start_after: str = "") -> Iterator[ListedImage]:
            yield from super().listing(place, start_after)
            raise RetryLater("s3://shop/: SlowDown")

    twins.put(*(f"{at:02}.jpg" for at in range(20)))
    twins.images = Breaking(twins.images.objects)

    with pytest.raises(RetryLater):
        load_command.load(LoadRequest(PLACE), twins.connect, TO_A_PROGRAM)

    document = said(capsys)
    assert (document["sent"], document["resume_after"]) == (20, "s3://shop/19.jpg")


def test_a_load_that_never_began_says_only_what_is_wrong(twins: Twins, capsys: pytest.CaptureFixture[str]) -> None:
    class Forbidden(MemoryImages):
        def listing(self, place: BucketPrefix, start_after: str = "") -> Iterator[ListedImage]:
            raise Denied("s3://shop/: AWS answers AccessDenied")

    twins.images = Forbidden()

    with pytest.raises(Denied):
        load_command.load(LoadRequest(PLACE), twins.connect, TO_A_PERSON)
    assert capsys.readouterr().out == ""


def test_only_what_is_missing_is_loaded_where_that_is_asked(twins: Twins, capsys: pytest.CaptureFixture[str]) -> None:
    twins.put("a.jpg", "b.jpg")
    twins.tag("a.jpg")

    assert load_command.load(LoadRequest(PLACE, only=("missing",)), twins.connect, TO_A_PROGRAM) == 0

    assert twins.sent == ["b.jpg"]
    assert said(capsys)["skipped_by"] == {"not missing": 1}


def test_a_dry_run_says_count_size_cost_and_time_and_sends_nothing(
    twins: Twins, capsys: pytest.CaptureFixture[str]
) -> None:
    twins.put("a.jpg", "b.jpg", data=b"12345")
    twins.put("notes.txt")

    assert load_command.rehearse(LoadRequest(PLACE, image_ms=45), twins.connect, TO_A_PERSON) == 0

    assert capsys.readouterr().out.splitlines() == [
        "found        3",
        "would send   2 (10 bytes)",
        "skipped      1 (1 .txt)",
        "would cost   about $0.0000064 (AWS price list, us-east-1, 2026-11-20)",
        "would take   about 0 seconds",
    ]
    assert twins.sent == []


def test_a_dry_run_says_it_to_a_program(twins: Twins, capsys: pytest.CaptureFixture[str]) -> None:
    twins.put(*(f"{at:04}.jpg" for at in range(1000)))

    assert load_command.rehearse(LoadRequest(PLACE, image_ms=45, max_cost_usd=0.002), twins.connect, TO_A_PROGRAM) == 1

    document = said(capsys)
    assert document["would_send"] == 625
    assert document["estimated_cost_usd"] <= 0.002
    assert document["estimated_s"] == pytest.approx(625 * 0.045 / 10, abs=0.1)
    assert document["resume_after"] == "s3://shop/0624.jpg"


# ---- audit -----------------------------------------------------------------------------------------------------------


def test_an_audit_without_a_gap_is_done(twins: Twins, capsys: pytest.CaptureFixture[str]) -> None:
    twins.put("a.jpg", "b.jpg")
    twins.tag("a.jpg")
    twins.reject("b.jpg")

    assert audit_command.audit(PLACE, Versions(), twins.connect, TO_A_PROGRAM, enqueue=False) == 0

    document = said(capsys)
    assert list(document)[:8] == [
        "listed",
        "tagged",
        "rejected",
        "dead_lettered",
        "waiting",
        "missing",
        "stale",
        "orphaned",
    ]
    assert (document["listed"], document["tagged"], document["rejected"]) == (2, 1, 1)


def test_an_audit_names_the_gap_and_wants_attention(
    twins: Twins, capsys: pytest.CaptureFixture[str], later: datetime
) -> None:
    twins.put(*(f"{at:02}.jpg" for at in range(12)), "old.jpg", "dead.jpg")
    twins.tag("old.jpg", "orphan.jpg")
    twins.put("old.jpg", data=b"another", at=later)
    twins.dead_backfill.add(TagImage(ImageRef("shop", "dead.jpg")).encode())
    twins.uploads.send([TagImage(ImageRef("shop", "00.jpg"))])

    assert audit_command.audit(PLACE, Versions(), twins.connect, TO_A_PERSON, enqueue=False) == 1

    assert capsys.readouterr().out.splitlines() == [
        "listed         14",
        "tagged         0",
        "rejected       0",
        "dead_lettered  1",
        "  s3://shop/dead.jpg",
        "waiting        1",
        "missing        12",
        *(f"  s3://shop/{at:02}.jpg" for at in range(10)),
        "  and 2 more",
        "stale          1",
        "  s3://shop/old.jpg",
        "orphaned       1",
        "  s3://shop/orphan.jpg",
        "unreadable     0",
        "Messages wait: what is missing or stale may be among them. `--wait` waits for them.",
        "`catalog-tagger redrive` sends dead letters back.",
        "Stale is also what is not of the model any and the taxonomy any.",
        "",
        "No export was compared with the records.",
    ]
    assert twins.sent == []


def test_an_audit_sends_exactly_the_gap(twins: Twins, capsys: pytest.CaptureFixture[str], later: datetime) -> None:
    twins.put("missing.jpg", "tagged.jpg", "old.jpg", "rejected.jpg", "dead.jpg", "notes.txt")
    twins.tag("tagged.jpg", "old.jpg", "orphan.jpg")
    twins.reject("rejected.jpg")
    twins.put("old.jpg", data=b"another", at=later)
    twins.dead_backfill.add(TagImage(ImageRef("shop", "dead.jpg")).encode())

    assert audit_command.audit(PLACE, Versions(), twins.connect, TO_A_PROGRAM, enqueue=True) == 1

    assert twins.sent == ["missing.jpg", "old.jpg", "orphan.jpg"]
    assert said(capsys)["enqueued"] == 3


def test_an_audit_of_a_manifest_sends_its_products_and_names_what_is_absent(
    twins: Twins, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    twins.put("a.jpg", "other.jpg")
    manifest = tmp_path / "m.csv"
    manifest.write_text("image,product\ns3://shop/a.jpg,boot\ns3://shop/never.jpg,\n")

    assert audit_command.audit(str(manifest), Versions(), twins.connect, TO_A_PERSON, enqueue=True) == 1

    assert twins.backfill.messages[0].product == "boot"
    assert twins.sent == ["a.jpg"]
    out = capsys.readouterr().out
    assert "\nabsent         1\n  s3://shop/never.jpg\n" in out
    assert "Absent is what the manifest names and no bucket holds: correct the manifest, or upload it.\n" in out


def test_an_audit_names_how_many_letters_cannot_be_read(twins: Twins, capsys: pytest.CaptureFixture[str]) -> None:
    twins.dead_uploads.add("garbage", error="BadMessage: the message is not JSON")
    twins.dead_backfill.add("garbage")

    assert audit_command.audit(PLACE, Versions(), twins.connect, TO_A_PERSON, enqueue=False) == 1

    assert capsys.readouterr().out.splitlines()[3:7] == [
        "dead_lettered  2",
        "  2 that cannot be read",
        "    BadMessage: the message is not JSON",
        "    Undone",
    ]


def test_an_audit_that_waits_begins_when_no_message_does(twins: Twins, capsys: pytest.CaptureFixture[str]) -> None:
    twins.put("a.jpg")
    twins.backfill.send([TagImage(ImageRef("shop", "a.jpg"))])
    waits_s: list[float] = []

    def sleep(wait_s: float) -> None:
        waits_s.append(wait_s)
        if len(waits_s) == 3:
            twins.backfill.messages.clear()
            twins.tag("a.jpg")

    code = audit_command.audit(PLACE, Versions(), twins.connect, TO_A_PERSON, enqueue=False, wait=True, sleep=sleep)

    assert (code, len(waits_s)) == (0, 4)  # an empty queue is read twice
    assert capsys.readouterr().err == "waiting until no message is left\n"


def test_an_audit_of_no_place_is_the_callers_mistake(twins: Twins) -> None:
    with pytest.raises(CallerError, match=r"neither s3://bucket/prefix"):
        audit_command.audit("shop", Versions(), twins.connect, TO_A_PERSON, enqueue=False)


# ---- status and redrive ----------------------------------------------------------------------------------------------


def test_a_status_that_waits_returns_when_no_message_is_left(twins: Twins) -> None:
    twins.backfill.send([TagImage(ImageRef("shop", "a.jpg"))])
    waits_s: list[float] = []

    def sleep(wait_s: float) -> None:
        waits_s.append(wait_s)
        twins.backfill.messages.clear()

    code = status_command.status(twins.connect, TO_A_PERSON, watch=False, with_ends=False, wait=True, sleep=sleep)

    assert (code, len(waits_s)) == (0, 2)


def test_a_load_that_waits_tells_of_dead_letters_by_its_code(twins: Twins, capsys: pytest.CaptureFixture[str]) -> None:
    twins.put("a.jpg")

    def sleep(_: float) -> bool:
        twins.backfill.messages.clear()
        twins.dead_backfill.add("{}")
        return True

    assert load_command.load(LoadRequest(PLACE), twins.connect, TO_A_PERSON, wait=True, sleep=sleep) == 1
    assert "dead letters" in capsys.readouterr().err


def test_status_says_what_waits_and_how_images_ended(twins: Twins, capsys: pytest.CaptureFixture[str]) -> None:
    twins.backfill.send([TagImage(ImageRef("shop", f"{at}.jpg")) for at in range(6)])
    twins.tag("1.jpg", "2.jpg")
    twins.reject("3.jpg", "4.jpg")
    twins.reject("5.jpg", reason=RejectReason.EMPTY)
    twins.bury("6.jpg")
    twins.tag("7.jpg", "8.jpg", observed_at=datetime.now(UTC) - timedelta(seconds=1))

    assert status_command.status(twins.connect, TO_A_PERSON, watch=False, with_ends=True) == 0

    assert capsys.readouterr().out.splitlines() == [
        "queue          waiting   in flight      oldest  dead letters",
        "uploads              0           0           -             0",
        "backfill             6           0  90 seconds             0",
        "",
        "rate      0.2 images/s, about 30 seconds left",
        "",
        "tagged    4",
        "rejected  3 (2 corrupt, 1 empty)",
        "gone      1",
        "keywords  0 have one, 0.0% of 7",
        f"cost      about {dollars(8 * Estimator.load().image_usd)}, if each was processed once",
    ]


def test_status_says_that_nothing_waits(twins: Twins, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_command.status(twins.connect, TO_A_PERSON, watch=False, with_ends=False) == 0

    assert capsys.readouterr().out.splitlines()[-1] == "Nothing waits: every message is done."


@pytest.mark.parametrize(
    ("causes", "said"),
    [
        ((), ["the function takes the first some seconds after a load; if that lasts, see its log and its throttles"]),
        (("the trigger of backfill is disabled",), ["the trigger of backfill is disabled"]),
    ],
)
def test_status_says_that_nothing_moves_and_why(
    twins: Twins, causes: tuple[str, ...], said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    twins.causes = causes
    twins.tag("long ago.jpg")
    twins.backfill.send([TagImage(ImageRef("shop", "a.jpg"))])

    assert status_command.status(twins.connect, TO_A_PERSON, watch=False, with_ends=True, sleep=lambda _: None) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[4:6] == [
        "Nothing finished in the last minute; 1 message is left",
        f"  {said[0]}",
    ]


def test_right_after_a_load_status_does_not_sound_an_alarm(twins: Twins, capsys: pytest.CaptureFixture[str]) -> None:
    twins.backfill.send([TagImage(ImageRef("shop", f"{at}.jpg")) for at in range(2)])
    twins.oldest_s = 3.0

    assert status_command.status(twins.connect, TO_A_PERSON, watch=False, with_ends=True, sleep=lambda _: None) == 0

    assert capsys.readouterr().out.splitlines()[4:6] == [
        "None is done yet; 2 messages are left",
        "  the function takes the first some seconds after a load; if that lasts, see its log and its throttles",
    ]


def test_images_that_end_without_a_trace_are_seen_to_move(twins: Twins, capsys: pytest.CaptureFixture[str]) -> None:
    """They did not change, so nothing was written; but their messages went away."""
    twins.backfill.send([TagImage(ImageRef("shop", f"{at}.jpg")) for at in range(10)])

    def sleep(_: float) -> None:
        for _ in range(5):
            twins.backfill.messages.pop()

    assert status_command.status(twins.connect, TO_A_PROGRAM, watch=False, with_ends=True, sleep=sleep) == 0

    document = said(capsys)
    assert document["rate_per_s"] > 0
    assert document["left_s"] == pytest.approx(5 / document["rate_per_s"], rel=0.01, abs=0.1)
    assert document["idle_because"] == []


def test_a_watch_on_a_terminal_takes_the_place_of_what_it_said_before() -> None:
    said: list[str] = []
    console = Console(False, said.append, said.append, lambda: 10)

    console.renew({}, ["0123456789abc", "second"])
    console.renew({}, ["third"])

    assert said == ["012345678\nsecond", "\x1b[2F\x1b[Jthird"]


def test_a_watch_elsewhere_says_one_report_below_the_other() -> None:
    said: list[str] = []
    console = Console(False, said.append, said.append)

    console.renew({}, ["first"])
    console.renew({}, ["second"])

    assert said == ["first", "\nsecond"]


def test_status_names_the_folders_where_keywords_are_lacking(twins: Twins, capsys: pytest.CaptureFixture[str]) -> None:
    twins.reject("hats/1.jpg", "hats/2.jpg", "bo\nots/1.jpg")

    status_command.status(twins.connect, TO_A_PERSON, watch=False, with_ends=True)

    assert (
        "          0 of 2 in s3://shop/hats/\n          0 of 1 in s3://shop/bo\N{REPLACEMENT CHARACTER}ots/"
        in capsys.readouterr().out
    )


def test_status_counts_records_that_cannot_be_read_and_goes_on(
    twins: Twins, capsys: pytest.CaptureFixture[str]
) -> None:
    twins.tag("a.jpg", "b.jpg")
    twins.table.damage(ImageRef("shop", "a.jpg"), "'paused' is not a valid RecordStatus")

    assert status_command.status(twins.connect, TO_A_PROGRAM, watch=False, with_ends=True) == 1

    document = said(capsys)
    assert document["ends"]["tagged"] == 1
    assert document["unreadable_records"] == 1
    assert document["first_unreadable_records"] == ["s3://shop/a.jpg: 'paused' is not a valid RecordStatus"]


def test_status_says_it_to_a_program_and_dead_letters_want_attention(
    twins: Twins, capsys: pytest.CaptureFixture[str]
) -> None:
    twins.dead_uploads.add("garbage")
    twins.reject("a.jpg")

    assert status_command.status(twins.connect, TO_A_PROGRAM, watch=False, with_ends=True) == 1

    document = said(capsys)
    assert document["queues"]["uploads"] == {"waiting": 0, "in_flight": 0, "oldest_s": None, "dead_letters": 1}
    assert document["ends"] == {"tagged": 0, "rejected": {"corrupt": 1}, "gone": 0}
    assert document["coverage"] == {
        "images": 1,
        "with_keyword": 0,
        "folders": [{"folder": "s3://shop/", "images": 1, "with_keyword": 0}],
        "untagged": ["s3://shop/a.jpg"],
    }


def test_status_reads_no_record_where_nobody_asks(twins: Twins, capsys: pytest.CaptureFixture[str]) -> None:
    twins.tag("a.jpg")

    assert status_command.status(twins.connect, TO_A_PROGRAM, watch=False, with_ends=False) == 0

    assert said(capsys)["ends"] is None


def test_a_watch_says_it_again_and_again_until_it_is_stopped(twins: Twins, capsys: pytest.CaptureFixture[str]) -> None:
    def sleep(_: float) -> None:
        twins.backfill.send([TagImage(ImageRef("shop", "a.jpg"))])
        if len(twins.backfill.messages) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        status_command.status(twins.connect, TO_A_PROGRAM, watch=True, with_ends=False, sleep=sleep)

    documents = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [document["queues"]["backfill"]["waiting"] for document in documents] == [0, 1, 2]
    # A queue that grows faster than it is worked off does not stand still, and how fast images end is not known.
    assert [document["idle_because"] for document in documents] == [[], [], []]
    assert [document["rate_per_s"] for document in documents] == [None, None, None]


def test_a_watch_does_not_take_an_old_reading_of_the_table_for_movement(
    twins: Twins, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    twins.tag("just-now.jpg", observed_at=datetime.now(UTC))
    twins.backfill.send([TagImage(ImageRef("shop", "waits.jpg"))])
    monkeypatch.setattr(status_command, "SCAN_SHARE", 1e9)  # the table is read once
    slept = []

    def sleep(wait_s: float) -> None:
        slept.append(wait_s)
        if len(slept) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        status_command.status(twins.connect, TO_A_PROGRAM, watch=True, with_ends=True, sleep=sleep)

    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert first["rate_per_s"] > 0
    assert (second["rate_per_s"], bool(second["idle_because"])) == (0, True)


def test_a_redrive_that_could_not_read_all_letters_says_so(twins: Twins, capsys: pytest.CaptureFixture[str]) -> None:
    for at in range(25):
        twins.dead_backfill.add(TagImage(ImageRef("shop", f"{at}.jpg")).encode())
    seen = twins.dead_backfill.receive()
    twins.dead_backfill.release(seen)
    twins.dead_backfill.receive = lambda: seen  # the first ones, again and again
    twins.dead_backfill.release = lambda letters: None

    assert redrive_command.redrive(["other"], twins.connect, TO_A_PROGRAM) == 1
    assert said(capsys)["unread"] == 15


def test_redrive_says_what_went_back(twins: Twins, capsys: pytest.CaptureFixture[str]) -> None:
    body = TagImage(ImageRef("shop", "a.jpg")).encode()
    twins.dead_backfill.add(body)
    twins.dead_backfill.add("garbage", error="BadMessage: the message is not JSON")

    assert redrive_command.redrive(["undone"], twins.connect, TO_A_PERSON) == 0

    assert capsys.readouterr().out.splitlines() == [
        "uploads    0 sent back, 0 kept, 0 failed",
        "backfill   1 (1 Undone) sent back, 1 (1 BadMessage) kept, 0 failed",
        "stream     0 sent back, 0 kept, 0 failed",
    ]
    assert list(twins.dead_backfill.source) == [body]


def test_redrive_takes_the_streams_failed_batches_too(twins: Twins, capsys: pytest.CaptureFixture[str]) -> None:
    twins.stream_failures.add("a batch", error="shop_notify")

    assert redrive_command.redrive([], twins.connect, TO_A_PROGRAM) == 0
    assert said(capsys)["queues"]["stream"]["redriven"] == {"shop_notify": 1}
    assert list(twins.stream_failures.source) == ["a batch"]


def test_a_letter_that_was_not_taken_back_wants_attention(twins: Twins, capsys: pytest.CaptureFixture[str]) -> None:
    twins.dead_uploads.add("garbage")
    twins.dead_uploads.refuse = {"garbage"}

    assert redrive_command.redrive([], twins.connect, TO_A_PROGRAM) == 1

    document = said(capsys)
    assert (document["redriven"], document["kept"], document["failed"]) == (0, 0, 1)
    assert document["queues"]["uploads"] == {
        "redriven": {},
        "kept": {},
        "failed": {"Undone": 1},
        "newer": {},
        "hidden": 0,
        "unread": 0,
    }


def test_a_redrive_that_is_stopped_says_what_went_back(twins: Twins, capsys: pytest.CaptureFixture[str]) -> None:
    class Breaking(MemoryDeadLetters):
        def receive(self) -> tuple[DeadLetter, ...]:
            if len(self.letters) < 5:
                raise RetryLater("the queue: ServiceUnavailable")
            return super().receive()

    twins.dead_backfill = Breaking()
    for at in range(12):
        twins.dead_backfill.add(f"garbage {at}")

    with pytest.raises(RetryLater):
        redrive_command.redrive([], twins.connect, TO_A_PROGRAM)

    assert said(capsys)["redriven"] == 10
    assert len(twins.dead_backfill.letters) == 2


def test_letters_that_somebody_else_has_received_are_told_of(twins: Twins, capsys: pytest.CaptureFixture[str]) -> None:
    twins.dead_uploads.add("garbage")
    twins.dead_uploads.receive()
    hidden = "1 {}are hidden, for five minutes at the most, since somebody has received them"

    assert audit_command.audit(PLACE, Versions(), twins.connect, TO_A_PERSON, enqueue=False) == 1
    assert f"\n{hidden.format('dead letters ')}: audit again then.\n" in capsys.readouterr().out

    assert redrive_command.redrive([], twins.connect, TO_A_PERSON) == 1
    assert capsys.readouterr().out.splitlines()[1].strip() == hidden.format("")


def test_a_watch_names_no_images_again_and_again(twins: Twins, capsys: pytest.CaptureFixture[str]) -> None:
    twins.reject("a.jpg")

    def sleep(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        status_command.status(twins.connect, TO_A_PROGRAM, watch=True, with_ends=True, sleep=sleep)

    assert "untagged" not in said(capsys)["coverage"]


def test_an_audit_that_breaks_off_says_what_it_sent(twins: Twins, capsys: pytest.CaptureFixture[str]) -> None:
    class Breaking(MemoryImages):
        def listing(self, place: BucketPrefix, start_after: str = "") -> Iterator[ListedImage]:
            yield from super().listing(place, start_after)
            raise RetryLater("s3://shop/: SlowDown")

    twins.put(*(f"{at:03}.jpg" for at in range(150)))
    twins.images = Breaking(twins.images.objects)

    with pytest.raises(RetryLater):
        audit_command.audit(PLACE, Versions(), twins.connect, TO_A_PERSON, enqueue=True)

    assert capsys.readouterr().err == "100 messages were sent before it was stopped\n"


def test_a_key_cannot_steer_the_terminal(twins: Twins, capsys: pytest.CaptureFixture[str]) -> None:
    twins.put("a\x1b[2J.jpg", "b.jpg")

    audit_command.audit(PLACE, Versions(), twins.connect, TO_A_PERSON, enqueue=False)
    load_command.load(
        LoadRequest(PLACE, max_cost_usd=1.5 * LoadRequest(PLACE).estimator().image_usd), twins.connect, TO_A_PERSON
    )

    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert out.endswith("--json says after which image to go on: its name cannot be shown here.\n")
