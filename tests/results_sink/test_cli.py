"""The commands export, search and show as a person types them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from infra.cli import main
from pipeline.aws.dynamodb import DynamoTable
from pipeline.clock import utc_now
from pipeline.folder import FolderFiles
from pipeline.images import ImageRef
from pipeline.keywords import KeywordTag, Source, Vocabulary
from pipeline.records import ClassScore, Decision, DecisionKind, Previous, TaggedImage
from pipeline.reject_reasons import RejectReason
from results_sink.report import cut
from tests.results_sink.small_shop import LOOKED_AT, exported, gone, observation, rejected

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.records import Record
    from tests.aws_world import AwsWorld

Said = tuple[int, str, str]
NAME_ONE = "name one image, s3://bucket/key, one product, --product ID, one reason, --rejected REASON, or --gone"
REASONS = [str(reason) for reason in RejectReason]
RUNNING_SHOE, FOOTWEAR = "n04120489", "n03380867"


def shoe(key: str, score: float = 0.98) -> TaggedImage:
    """Return a photo of a running shoe."""
    return TaggedImage(
        observation(key, "runner"),
        (KeywordTag(RUNNING_SHOE, score), KeywordTag(FOOTWEAR, 1.0, Source.HUMAN)),
        (ClassScore(770, 0.98), ClassScore(514, 0.01)),
        1600,
        1200,
        decisions=(Decision(FOOTWEAR, DecisionKind.PIN, LOOKED_AT, "Ann"),),
    )


RECORDS: list[Record] = [shoe("a.jpg"), shoe("b.jpg", 0.5), rejected("broken.jpg"), gone("gone.jpg")]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    """Runs a command line and returns its exit code, output and errors."""
    monkeypatch.setenv("CATALOG_TAGGER_HOME", str(tmp_path / "home"))

    def run(*words: str) -> Said:
        capsys.readouterr()
        code = main(words)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def records(stack: AwsWorld) -> AwsWorld:
    """A deployed stack with the records in its table."""
    for record in RECORDS:
        DynamoTable(stack.dynamodb, stack.name).put(record, 0)
    return stack


@pytest.fixture
def export(tmp_path: Path) -> str:
    """A folder with an export of the records."""
    exported(FolderFiles(tmp_path / "export"), tmp_path, RECORDS, vocabulary=Vocabulary.load())
    return str(tmp_path / "export")


def document(said: Said) -> Any:
    """Return the one JSON document that was printed, silently."""
    code, out, err = said
    assert (code, err) == (0, "")
    return json.loads(out)


# ---- search ----------------------------------------------------------------------------------------------------------


def test_search_answers_in_a_table(command: Callable[..., Said], export: str) -> None:
    code, out, err = command("search", "footwear", "--from", export)

    assert (code, err) == (0, "")
    assert out.splitlines()[:5] == [
        "score  keywords                          product  image",
        "1.00   running shoe 0.98, footwear 1.00  runner   s3://shop/a.jpg",
        "1.00   running shoe 0.50, footwear 1.00  runner   s3://shop/b.jpg",
        "",
        "2 images",
    ]
    assert out.splitlines()[5].startswith("among them: ")


def test_a_line_is_cut_to_the_width_of_a_terminal() -> None:
    assert cut("sneaker", 5) == "snea\N{HORIZONTAL ELLIPSIS}"
    assert [cut("sneaker", width) for width in (7, 80, None)] == ["sneaker"] * 3


def test_search_on_a_terminal_leaves_room_for_product_and_image(
    command: Callable[..., Said], export: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("results_sink.search_cli.columns", lambda: 60)
    out = command("search", "footwear", "--from", export)[1]

    assert (
        out.splitlines()[1]
        == "1.00   running shoe 0.98, footwear 1\N{HORIZONTAL ELLIPSIS}  runner   s3://shop/a\N{HORIZONTAL ELLIPSIS}"
    )


def test_search_that_shows_no_results_says_how_many_there_are(command: Callable[..., Said], export: str) -> None:
    out = command("search", "footwear", "--from", export, "--limit", "0")[1]

    assert out.splitlines()[0] == "0 of 2 images"


def test_search_answers_in_json(command: Callable[..., Said], export: str) -> None:
    answer = document(command("search", "running", "shoe", "min:0.9", "--from", export, "--json"))

    assert answer["query"] == "running shoe min:0.9"
    assert answer["total"] == 1
    assert answer["results"] == [
        {
            "image": "s3://shop/a.jpg",
            "product": "runner",
            "score": 0.98,
            "keywords": [
                {"keyword": "running shoe", "id": RUNNING_SHOE, "score": 0.98, "source": "model"},
                {"keyword": "footwear", "id": FOOTWEAR, "score": 1.0, "source": "human"},
            ],
            "listing": {},
        }
    ]
    assert {"keyword": "footwear", "count": 1} in answer["facets"]


def test_search_says_how_many_more_there_are(command: Callable[..., Said], export: str) -> None:
    assert "\n1 of 2 images\n" in command("search", "footwear", "--from", export, "--limit", "1")[1]


def test_search_per_product_counts_products(command: Callable[..., Said], export: str) -> None:
    out = command("search", "footwear", "--from", export, "--per-product")[1]

    assert "\n1 product\n" in out
    assert "b.jpg" not in out


def test_search_for_a_word_that_nothing_has_finds_nothing(command: Callable[..., Said], export: str) -> None:
    available = "the catalogue has: fashion 2, footwear 2, running shoe 2, shoe 2, sportswear 2"
    assert command("search", "piano", "--from", export)[:2] == (0, f"Nothing was found for piano.\n{available}\n")
    assert document(command("search", "piano", "--from", export, "--json"))["total"] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["footwear AND"], "the query has a mistake at column 13: the query ends where a word is needed after AND"),
        (['"'], "the query has a mistake at column 1: this quotation mark is never closed"),
    ],
)
def test_a_mistake_in_a_query_is_one_line_and_exit_2(
    command: Callable[..., Said], export: str, words: list[str], message: str
) -> None:
    assert command("search", *words, "--from", export) == (2, "", f"catalog-tagger: {message}\n")


def test_search_says_what_was_left_out_and_what_was_read_as_another_word(
    command: Callable[..., Said], export: str
) -> None:
    out = command("search", "mens", "snekers", "--from", export)[1]

    assert "\n2 images\nleft out: mens\nread snekers as sneaker\n" in out
    answer = document(command("search", "mens", "snekers", "--from", export, "--json"))
    assert (answer["ignored"], answer["total"]) == (["mens"], 2)
    assert answer["corrections"] == [{"typed": "snekers", "read_as": "sneaker"}]


def test_search_for_words_that_all_mean_nothing_says_what_there_is(command: Callable[..., Said], export: str) -> None:
    lines = command("search", "boost", "--from", export)[1].splitlines()

    assert lines[:2] == ["Nothing was found for boost.", "left out: boost"]
    assert lines[2].startswith("did you mean ")
    assert lines[3].startswith("the catalogue has: fashion 2, ")


def test_search_takes_a_language_filters_and_an_order(command: Callable[..., Said], export: str) -> None:
    def images(*words: str) -> list[str]:
        answer = document(command("search", *words, "--from", export, "--json"))
        return [hit["image"] for hit in answer["results"]]

    assert images("Turnschuhe", "--language", "de") == ["s3://shop/a.jpg", "s3://shop/b.jpg"]
    assert images("--source", "human") == ["s3://shop/a.jpg", "s3://shop/b.jpg"]
    assert images("shoe", "--needs-a-look") == []
    assert images("shoe", "--sort", "image", "--limit", "1") == ["s3://shop/a.jpg"]
    code, _, err = command("search", "shoe", "--reason", "corrupt", "--from", export)
    assert (code, err) == (
        2,
        "catalog-tagger: rejected images have no keywords: leave out the query, or --reason\n",
    )


def test_search_where_nothing_was_exported_is_one_line_and_exit_2(command: Callable[..., Said], tmp_path: Path) -> None:
    place = str(tmp_path / "nothing")

    code, out, err = command("search", "boot", "--from", place)
    assert (code, out) == (2, "")
    assert err == f"catalog-tagger: {place} holds no export; run `catalog-tagger export` first\n"


def test_search_in_a_damaged_export_names_the_file(command: Callable[..., Said], export: str, tmp_path: Path) -> None:
    [images] = (tmp_path / "export").rglob("images/*.parquet")
    images.write_bytes(images.read_bytes()[:-10] + b"0123456789")

    code, out, err = command("search", "footwear", "--from", export)
    assert (code, out) == (2, "")
    assert err == f"catalog-tagger: {images} is damaged: its SHA-256 is not what manifest.json says\n"


def test_names_of_files_cannot_move_the_cursor(command: Callable[..., Said], tmp_path: Path) -> None:
    files = FolderFiles(tmp_path / "export")
    exported(files, tmp_path, [shoe("\x1b[2Ja\nb.jpg")], vocabulary=Vocabulary.load())

    out = command("search", "footwear", "--from", str(files.root))[1]
    assert "\x1b" not in out
    assert "s3://shop/\ufffd[2Ja\ufffdb.jpg" in out


# ---- export ----------------------------------------------------------------------------------------------------------


def test_export_writes_the_table_to_a_folder_and_says_what(
    command: Callable[..., Said], records: AwsWorld, tmp_path: Path
) -> None:
    place = str(tmp_path / "new" / "folder")
    report = document(command("export", place, "--json"))

    assert (report["place"], report["published"]) == (place, True)
    counts = {name: report[name] for name in ("rows", "tagged", "rejected", "gone", "undone", "postings", "files")}
    assert counts == {
        "rows": 3,
        "tagged": 2,
        "rejected": {"corrupt": 1},
        "gone": 1,
        "undone": 0,
        "postings": 4,
        "files": 4,
    }
    assert document(command("search", "footwear", "--from", place, "--json"))["total"] == 2


def test_export_goes_to_the_stacks_bucket_and_search_finds_it_there(
    command: Callable[..., Said], records: AwsWorld
) -> None:
    code, out, _ = command("export")

    assert code == 0
    assert f"place     s3://{records.name}/catalogue\n" in out
    assert "tagged    2\nrejected  1 (1 corrupt)\n" in out
    by_default = document(command("search", "footwear", "--json"))
    by_name = document(command("search", "footwear", "--from", f"s3://{records.name}/catalogue/", "--json"))
    assert by_default == by_name
    assert by_default["total"] == 2


def test_an_export_that_a_newer_one_overtook_says_so_and_wants_attention(
    command: Callable[..., Said], records: AwsWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder's clock is turned back before it begins, and is right again when it ends."""
    folder = tmp_path / "export"
    exported(FolderFiles(folder), tmp_path, RECORDS, at=utc_now())
    published = (folder / "latest.json").read_bytes()
    late = iter([utc_now() - timedelta(minutes=5)] * 2)
    now = FolderFiles.now
    monkeypatch.setattr(FolderFiles, "now", lambda files: next(late, None) or now(files))
    code, out, err = command("export", str(folder))
    late = iter([utc_now() - timedelta(minutes=5)] * 2)
    code_json, out_json, _ = command("export", str(folder), "--json")

    assert (code, code_json, err) == (1, 1, "")
    assert out.endswith("\na newer one was published meanwhile; this one was not\n")
    assert json.loads(out_json)["published"] is False
    assert (folder / "latest.json").read_bytes() == published


def test_an_export_whose_clock_was_ahead_is_in_no_later_ones_way(
    command: Callable[..., Said], records: AwsWorld, tmp_path: Path
) -> None:
    exported(FolderFiles(tmp_path / "export"), tmp_path, RECORDS, at=utc_now() + timedelta(days=1))
    code, out, _ = command("export", str(tmp_path / "export"), "--json")

    assert (code, json.loads(out)["published"]) == (0, True)


def test_export_keeps_as_many_snapshots_as_it_is_told(
    command: Callable[..., Said], records: AwsWorld, tmp_path: Path
) -> None:
    for _ in range(3):
        command("export", str(tmp_path / "export"), "--keep", "2")

    assert len(list((tmp_path / "export" / "snapshots").glob("*/manifest.json"))) == 2


def test_a_place_that_is_a_file_or_no_bucket_is_one_line_and_exit_2(
    command: Callable[..., Said], records: AwsWorld, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_text("x")

    assert command("export", str(file)) == (2, "", f"catalog-tagger: {file} is a file; an export is a folder\n")
    code, out, err = command("export", str(file / "deeper"))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"catalog-tagger: {file}/deeper/")
    assert err.endswith(" cannot be written: Not a directory\n")
    mistake = "https://shop.example/out is no place of an export; name a folder, or s3://bucket/prefix"
    assert command("export", "https://shop.example/out") == (2, "", f"catalog-tagger: {mistake}\n")
    for words in (("export", "s3://no-such-bucket/x"), ("search", "boot", "--from", "s3://no-such-bucket/x")):
        code, out, err = command(*words)
        assert (code, out) == (2, "")
        assert err.startswith("catalog-tagger: s3://no-such-bucket/x")
        assert err.count("\n") == 1


# ---- show ------------------------------------------------------------------------------------------------------------


def test_show_says_all_that_is_known_of_an_image(command: Callable[..., Said], records: AwsWorld) -> None:
    assert command("show", "s3://shop/a.jpg")[1] == (
        "s3://shop/a.jpg\n"
        "  status     tagged\n"
        "  product    runner\n"
        "  picture    1,600 x 1,200 pixels\n"
        "  classes    770 0.98, 514 0.01\n"
        "  model      model-1, taxonomy words-1\n"
        "  looked at  2026-01-02 03:04:05 UTC, run run-1, revision 1\n"
        "  decided    pin footwear, 2026-01-02 03:04:05 UTC by Ann\n"
        "  uploaded   2026-01-01 03:04:05 UTC\n"
        "\n"
        "  keyword       score  source  id\n"
        "  running shoe  0.98   model   n04120489\n"
        "  footwear      1.00   human   n03380867\n"
    )


def test_show_answers_in_json(command: Callable[..., Said], records: AwsWorld) -> None:
    shown = document(command("show", "s3://shop/a.jpg", "--json"))

    assert (shown["image"], shown["product"], shown["status"]) == ("s3://shop/a.jpg", "runner", "tagged")
    assert shown["keywords"][0] == {"keyword": "running shoe", "id": RUNNING_SHOE, "score": 0.98, "source": "model"}
    assert shown["classes"] == [{"class_index": 770, "score": 0.98}, {"class_index": 514, "score": 0.01}]
    assert shown["decisions"] == [
        {
            "keyword": "footwear",
            "id": FOOTWEAR,
            "decision": "pin",
            "decided_at": LOOKED_AT.isoformat(),
            "by": "Ann",
        }
    ]
    assert "running" not in json.dumps(shown["classes"])


def test_show_says_what_the_run_before_said_of_the_same_photo(command: Callable[..., Said], stack: AwsWorld) -> None:
    before = replace(shoe("again.jpg", 0.61), decisions=())
    now = replace(shoe("again.jpg"), previous=Previous.of(before, before.observation.etag, "run-2"))
    DynamoTable(stack.dynamodb, stack.name).put(now, 0)

    line = "  before     2026-01-02 03:04:05 UTC, run run-1: running shoe 0.61"
    assert line in command("show", "s3://shop/again.jpg")[1]
    previous = document(command("show", "s3://shop/again.jpg", "--json"))["previous"]
    assert (previous["run_id"], previous["keywords"][0]["score"]) == ("run-1", 0.61)


def test_show_says_why_an_image_was_rejected_or_is_gone(command: Callable[..., Said], records: AwsWorld) -> None:
    assert "  status     rejected (corrupt): it ends too early\n" in command("show", "s3://shop/broken.jpg")[1]
    assert "  status     gone\n" in command("show", "s3://shop/gone.jpg")[1]
    assert document(command("show", "s3://shop/broken.jpg", "--json"))["reason"] == "corrupt"


def test_show_names_classes_and_speaks_other_languages(
    command: Callable[..., Said], records: AwsWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Classes have names where the model that looked is the one of this machine, whose card holds them."""
    [record] = DynamoTable(records.dynamodb, records.name).get_many([ImageRef("shop", "a.jpg")]).values()
    weights = {"sha256": f"{record.observation.model_version:0<64}", "precision": "int8"}
    classes = [{"class_index": score.class_index, "id": "n1", "name": "clog"} for score in record.class_scores]
    (tmp_path / "card.json").write_text(json.dumps({"served": "int8", "files": [weights], "classes": classes}))
    monkeypatch.setenv("MODEL_DIR", str(tmp_path))
    monkeypatch.setattr("pipeline.model_version.VERSION_LENGTH", len(record.observation.model_version))

    assert "  classes    clog " in command("show", "s3://shop/a.jpg")[1]
    shown = document(command("show", "s3://shop/a.jpg", "--language", "de", "--json"))
    assert shown["classes"][0]["class"] == "clog"
    assert shown["keywords"][0]["keyword"] == "Laufschuh"
    monkeypatch.setenv("MODEL_DIR", str(tmp_path / "none"))
    assert "clog" not in command("show", "s3://shop/a.jpg")[1]


def test_show_says_all_images_of_a_product(command: Callable[..., Said], records: AwsWorld) -> None:
    shown = document(command("show", "--product", "runner", "--json"))

    assert shown["product"] == "runner"
    assert [each["image"] for each in shown["images"]] == ["s3://shop/a.jpg", "s3://shop/b.jpg"]
    assert command("show", "--product", "runner")[1].count("looked at") == 2


def test_show_says_which_images_were_rejected_for_a_reason(command: Callable[..., Said], records: AwsWorld) -> None:
    DynamoTable(records.dynamodb, records.name).put(rejected("cut.jpg"), 0)

    assert command("show", "--rejected", "corrupt")[1] == (
        "image                 detail\n"
        "s3://shop/broken.jpg  it ends too early\n"
        "s3://shop/cut.jpg     it ends too early\n"
        "\n"
        "2 in all\n"
    )
    assert command("show", "--rejected", "corrupt", "--limit", "1")[1].splitlines()[1:] == [
        "s3://shop/broken.jpg  it ends too early",
        "",
        "the first 1; there are more: --limit shows them",
    ]
    assert command("show", "--rejected", "pixels") == (0, "No image is rejected for pixels.\n", "")


def test_show_lists_the_images_that_are_gone(command: Callable[..., Said], records: AwsWorld) -> None:
    assert command("show", "--gone")[1].splitlines() == [
        "image               looked for",
        f"s3://shop/gone.jpg  {LOOKED_AT:%Y-%m-%d %H:%M:%S} UTC",
        "",
        "1 in all",
    ]
    DynamoTable(records.dynamodb, records.name).put(gone("gone too.jpg"), 0)
    shown = document(command("show", "--gone", "--limit", "1", "--json"))
    assert (len(shown["images"]), shown["more"]) == (1, True)
    assert set(shown["images"][0]) == {"image", "observed_at"}


def test_show_says_in_json_which_images_were_rejected(command: Callable[..., Said], records: AwsWorld) -> None:
    shown = document(command("show", "--rejected", "corrupt", "--json"))

    assert (shown["reason"], shown["more"]) == ("corrupt", False)
    [image] = shown["images"]
    assert image == {"image": "s3://shop/broken.jpg", "product": image["product"], "detail": "it ends too early"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["s3://shop/never.jpg"], "nothing is known of s3://shop/never.jpg"),
        (["--product", "never"], "there is no image of the product 'never'"),
        ([], NAME_ONE),
        (["s3://shop/a.jpg", "--product", "runner"], NAME_ONE),
        (["--rejected", "empty", "--product", "runner"], NAME_ONE),
        (
            ["--rejected", "ugly"],
            f"Invalid value for '--rejected': 'ugly' is not one of {', '.join(map(repr, REASONS))}.",
        ),
        (["a.jpg"], "'a.jpg' is not a place in S3; write s3://bucket/prefix"),
    ],
)
def test_what_cannot_be_shown_is_one_line_and_exit_2(
    command: Callable[..., Said], records: AwsWorld, words: list[str], message: str
) -> None:
    assert command("show", *words) == (2, "", f"catalog-tagger: {message}\n")
