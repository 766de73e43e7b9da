"""learn, verify and heads, as a person types them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from PIL import Image, ImageDraw

from infra.cli import main
from tests.builders import encoded

if TYPE_CHECKING:
    from pathlib import Path

SHAPES = {"green disc": "green", "red bar": "red"}


def drawing(word: str, number: int) -> bytes:
    """Return a photo of one of two things, no two of them alike."""
    picture = Image.new("RGB", (256, 256), "white")
    draw, offset = ImageDraw.Draw(picture), 4 * number
    if word == "green disc":
        draw.ellipse((40 + offset, 40, 180 + offset, 180), fill=SHAPES[word])
    else:
        draw.rectangle((20, 100 + offset, 236, 130 + offset), fill=SHAPES[word])
    return encoded(picture, "JPEG")


@pytest.fixture
def labels(tmp_path, monkeypatch) -> Path:
    """Labels of sixteen photos of two things, in a home without heads."""
    monkeypatch.setenv("CATALOG_TAGGER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TAXONOMY_OVERLAY", str(tmp_path / "overlay.csv"))
    (tmp_path / "overlay.csv").write_text("id\n")
    lines = ["file,keywords"]
    for word in SHAPES:
        for number in range(8):
            name = f"{word.replace(' ', '-')}-{number}.jpg"
            (tmp_path / name).write_bytes(drawing(word, number))
            lines.append(f"{name},{word}")
    path = tmp_path / "labels.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.slow
def test_a_shop_learns_tags_verifies_and_goes_back(real_model, labels, monkeypatch, capsys):
    monkeypatch.setenv("MODEL_DIR", str(real_model))
    sheet = labels.parent / "sheet.html"
    assert main(["learn", str(labels), "--name", "my-shop", "--sheet", str(sheet)]) == 0
    first, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith("my-shop: 2 words learned from 16 photos in ")
    assert "What my-shop learned" in sheet.read_text()
    assert "shop-green-disc" in (labels.parent / "overlay.csv").read_text()

    assert main(["tag", str(labels.parent / "red-bar-3.jpg"), "--head", "my-shop", "--json"]) == 0
    [tag] = [k for k in json.loads(capsys.readouterr().out)["keywords"] if k["source"] == "head"]
    assert (tag["keyword"], tag["id"]) == ("red bar", "shop-red-bar")

    swapped = labels.read_text().replace("green-disc-5.jpg,green disc", "green-disc-5.jpg,red bar")
    labels.write_text(swapped)
    found = labels.parent / "found.csv"
    assert main(["verify", str(labels), "--csv", str(found)]) == 0
    assert "of 16 photos contradict their keywords; nothing was changed" in capsys.readouterr().out
    assert "green-disc-5.jpg,red bar,green disc" in found.read_text().splitlines()[1]

    assert main(["learn", str(labels), "--name", "my-shop", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["photos"] == 16
    assert main(["heads", "rollback", "my-shop"]) == 0
    assert "my-shop is version" in capsys.readouterr().out
    assert main(["heads", "remove", "my-shop"]) == 0
    assert main(["tag", str(labels.parent / "red-bar-3.jpg"), "--head", "my-shop"]) == 2
    assert "no head is called 'my-shop'" in capsys.readouterr().err


@pytest.mark.slow
def test_a_folder_of_tag_has_the_vectors_to_learn_from_when_the_photos_are_gone(
    real_model, labels, monkeypatch, capsys
):
    monkeypatch.setenv("MODEL_DIR", str(real_model))
    monkeypatch.chdir(labels.parent)
    photos = sorted(labels.parent.glob("*.jpg"))
    assert main(["tag", *(photo.name for photo in photos), "-o", "tagged"]) == 0
    for photo in photos:
        photo.unlink()
    capsys.readouterr()

    assert main(["learn", "labels.csv", "--name", "my-shop", "--from", "tagged"]) == 0
    assert capsys.readouterr().out.startswith("my-shop: 2 words learned from 16 photos in ")
    assert main(["verify", "labels.csv", "--from", "tagged"]) == 0
    assert "0 of 16 photos contradict their keywords" in capsys.readouterr().out
    with labels.open("a") as file:
        file.write("never-tagged.jpg,boot\n")
    assert main(["verify", "labels.csv", "--from", "tagged"]) == 0
    assert "line 18: never-tagged.jpg is left out: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["learn", "nowhere.csv", "--name", "a"], "nowhere.csv cannot be read"),
        (["learn", "labels.csv", "--name", "a", "--from", "nowhere"], "nowhere"),
        (["verify", "labels.csv", "--from", "nowhere"], "nowhere"),
        (["learn", "--name", "a"], "name either a file LABELS.csv or --from-table to learn from"),
        (["learn", "nowhere.csv", "--from-table", "--name", "a"], "name either a file LABELS.csv or --from-table"),
        (["learn", "nowhere.csv", "--name", "A B"], "'A B' is no name of a head: 1 to 32 of a-z 0-9 and -"),
        (["learn", "nowhere.csv", "--name", "a", "--sheet", "no/sheet.html"], "there is no folder no"),
        (["verify", "nowhere.csv", "--csv", "no/found.csv"], "there is no folder no"),
        (["heads", "remove", "nope"], "no head is called 'nope'"),
        (["heads", "remove", "starter"], "ships with the program"),
        (["heads", "publish", "nowhere"], "is not a place in S3; write s3://bucket/prefix"),
        (["heads", "publish", "s3://bucket/heads", "starter"], "lies in the package and always speaks"),
        (["heads", "publish", "s3://bucket/heads"], "no head is installed"),
        (["model", "promote", "nope"], "no model is called 'nope'; installed: none"),
        (["model", "import", "labels.csv", "--card", "labels.csv"], "labels.csv cannot be read as JSON"),
    ],
)
def test_a_mistake_is_said_in_one_line(labels, arguments, message, monkeypatch, capsys):
    monkeypatch.chdir(labels.parent)
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert (said.out, said.err.count("\n")) == ("", 1)
