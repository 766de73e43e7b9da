"""The commands in the sentences of the documents exist, and their links lead somewhere.

Commands in fenced blocks are run as typed: tests/docs.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from infra.cli import catalog_tagger

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = ("*.md", "docs/**/*.md", "results_sink/*.md", "infra/**/*.md", "tests/**/*.md")
BLOCK = re.compile(r"^```[a-z]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`((?:catalog-tagger|make) [^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CUT = " ..."  # what is left out of a command line that is only mentioned


@dataclass(frozen=True, slots=True)
class Said:
    """A command line that a document shows, in words."""

    document: str
    line: str
    words: tuple[str, ...]


def documents() -> list[Path]:
    """Return all documents."""
    return sorted({path for pattern in DOCUMENTS for path in ROOT.glob(pattern)})


def name_of(path: Path) -> str:
    """Return the document's place below the root."""
    return path.relative_to(ROOT).as_posix()


def said() -> list[Said]:
    """Return every command line of ours within the sentences of a document."""
    found: list[Said] = []
    for path in documents():
        text = path.read_text(encoding="utf-8")
        lines = [line.removesuffix(CUT) for line in INLINE.findall(BLOCK.sub("", text))]
        for line in lines:
            bare = re.split(r"\s[|&;>]+\s|\s#\s|\s#$", line.replace(".venv/bin/", ""))[0]
            if re.match(r"(catalog-tagger|make) ", bare):
                found.append(Said(name_of(path), line, tuple(shlex.split(bare))))
    return found


def targets() -> set[str]:
    """Return what make can make."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"(?m)^([a-z][a-z-]*):", makefile))


def mistake_in(words: list[str]) -> str | None:
    """Return what is wrong with a command line of ours, or None; nothing is run."""
    command: click.Command = catalog_tagger
    context = click.Context(command, info_name="catalog-tagger")
    try:
        while isinstance(command, click.Group) and words and not words[0].startswith("-"):
            name, *words = words
            found = command.get_command(context, name)
            if found is None:
                return f"there is no command {name}"
            command, context = found, click.Context(found, parent=context, info_name=name)
        if not isinstance(command, click.Group):
            command.make_context(context.info_name, words)
    except click.exceptions.Exit:
        return None  # --help and --version
    except click.ClickException as error:
        return error.format_message()
    return None


def test_the_documents_show_how_it_is_used() -> None:
    assert {"README.md", "CONTRIBUTING.md", "docs/export.md"} <= {name_of(path) for path in documents()}
    assert {"catalog-tagger", "make"} == {each.words[0] for each in said()}


@pytest.mark.parametrize("shown", [each for each in said() if each.words[0] == "catalog-tagger"], ids=str)
def test_a_command_that_is_shown_can_be_typed(shown: Said) -> None:
    name, *rest = shown.words[1:]

    assert [mistake_in([each, *rest]) for each in name.split("|")] == [None] * (name.count("|") + 1)


@pytest.mark.parametrize("shown", [each for each in said() if each.words[0] == "make"], ids=str)
def test_a_target_that_is_shown_can_be_made(shown: Said) -> None:
    assert {word for word in shown.words[1:] if "=" not in word} <= targets()


@pytest.mark.parametrize(
    ("line", "mistake"),
    [
        ("load s3://shop/", None),
        ("local up", None),
        ("load --help", None),
        ("--version", None),
        ("laod s3://shop/", "there is no command laod"),
        ("local jump", "there is no command jump"),
        ("load", "Missing argument"),
        ("load s3://shop/ --olny missing", "No such option"),
        ("load s3://shop/ --only new", "'new' is not one of"),
    ],
)
def test_what_cannot_be_typed_is_found(line: str, mistake: str | None) -> None:
    found = mistake_in(line.split())

    assert found is None if mistake is None else mistake in str(found)


@pytest.mark.parametrize("path", documents(), ids=name_of)
def test_every_link_leads_to_something_that_is_there(path: Path) -> None:
    for link in LINK.findall(path.read_text(encoding="utf-8")):
        place, _, heading = link.partition("#")
        if "://" in place or place.startswith("mailto:"):
            continue
        target = (path.parent / place) if place else path
        assert target.exists(), link
        assert not heading or heading in headings(target), link


def headings(path: Path) -> set[str]:
    """Return what the headings of a document are called in links."""
    found = re.findall(r"(?m)^#+ (.+)$", path.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in found}
