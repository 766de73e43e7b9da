"""The one command as a person meets it: one line for each mistake, and an exit code that says whose it is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from catalog_loader import connect
from infra.cli import catalog_tagger, main
from pipeline.images import ImageRef
from tests.catalog_loader.conftest import Twins

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.messages import TagImage

ROOT = Path(__file__).resolve().parent.parent.parent


def commands() -> list[tuple[str, click.Command]]:
    """Return every command and every command within one, by what is typed."""
    found: list[tuple[str, click.Command]] = []
    waiting: list[tuple[str, click.Command]] = [("", catalog_tagger)]
    while waiting:
        name, command = waiting.pop()
        found.append((name.strip(), command))
        if isinstance(command, click.Group):
            context = click.Context(command)
            names = command.list_commands(context)
            waiting += [(f"{name} {each}", command.get_command(context, each) or command) for each in names]
    return sorted(found, key=lambda each: each[0])


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_help_is_there_for_every_command_and_without_a_trace_of_its_markup(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*name.split(), "--help"]) == 0

    out, err = capsys.readouterr()
    assert out.startswith("Usage: catalog-tagger")
    assert err == ""
    for mark in ("\\b", "``", "\b", "\x0c"):
        assert mark not in out


@pytest.mark.parametrize("words", [[], ["local"], ["model"], ["heads"]], ids=" ".join)
def test_a_group_alone_prints_its_help_as_help(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    bare = capsys.readouterr()
    assert main([*words, "--help"]) == 0

    assert bare == capsys.readouterr()


def test_every_option_says_what_it_is_for() -> None:
    silent = [
        f"{name} {option.opts[0]}"
        for name, command in commands()
        for option in command.params
        if isinstance(option, click.Option) and not option.help
    ]

    assert silent == []


@pytest.mark.parametrize(
    ("environment", "mistake"),
    [
        ({}, "no AWS region is configured; set AWS_DEFAULT_REGION, or start the local run"),
        (
            {"AWS_DEFAULT_REGION": "us-east-1"},
            "the stack catalog-tagger: no AWS credentials were found: `aws configure`, or `aws sso login`",
        ),
        (
            {"AWS_DEFAULT_REGION": "us-east-1", "AWS_PROFILE": "nobody"},
            "there is no such AWS profile: `aws configure list-profiles` names those there are",
        ),
        (
            {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": "nowhere"},
            "AWS is not configured as it should be: Invalid endpoint: nowhere",
        ),
        ({"CATALOG_TAGGER_TARGET": "moon"}, "CATALOG_TAGGER_TARGET is 'moon'; it must be aws or local"),
        ({"CATALOG_TAGGER_TARGET": "local"}, "there is no local stack; `catalog-tagger local up` starts it"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_an_aws_that_is_not_set_up_is_one_line(environment: dict[str, str], mistake: str, tmp_path: Path) -> None:
    alone = {
        "CATALOG_TAGGER_HOME": str(tmp_path),
        "CATALOG_TAGGER_TARGET": "aws",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }

    asked = typed("status", alone | environment)

    assert (asked.returncode, asked.stderr) == (2, f"catalog-tagger: {mistake}\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full disk to write to")
def test_an_output_that_cannot_be_written_is_one_line() -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        asked = typed("--help", {}, stdout=full.fileno())

    assert asked.returncode == 2
    assert asked.stderr == "catalog-tagger: the output cannot be written: No space left on device\n"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no folder in which nobody may write")
def test_a_home_that_cannot_be_written_is_one_line() -> None:
    asked = typed("local up", {"CATALOG_TAGGER_HOME": "/proc/1/nowhere"})

    assert asked.returncode == 2
    assert len(asked.stderr.splitlines()) == 1


def test_whoever_reads_only_the_first_line_gets_no_complaint() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    asked = typed("--help", {}, stdout=writing)
    os.close(writing)

    assert (asked.returncode, asked.stderr) == (1, "")


def typed(line: str, environment: dict[str, str], stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    """Return what came of a command line, in an environment of nothing but this."""
    code = "import sys; from infra.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, *line.split()]
    return subprocess.run(
        command, cwd=ROOT, env=environment, stdout=stdout, stderr=subprocess.PIPE, check=False, text=True
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_load_that_is_ended_from_outside_says_where_to_go_on(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    twins = Twins()
    twins.put(*(f"{at:04}.jpg" for at in range(1000)))
    send, before = twins.backfill.send, signal.getsignal(number)

    def send_until_ended(messages: Sequence[TagImage]) -> tuple[TagImage, ...]:
        if twins.backfill.calls == 50:
            os.kill(os.getpid(), number)
        return send(messages)

    monkeypatch.setattr(twins.backfill, "send", send_until_ended)
    monkeypatch.setattr(connect, "connected", twins.connect)

    assert main(["load", "s3://shop/", "--json"]) == 1

    told = capsys.readouterr()
    report = json.loads(told.out)
    assert told.err.strip() == "catalog-tagger: stopped"
    resumed = int(ImageRef.parse(report["resume_after"]).key.removesuffix(".jpg"))
    sent = {message.image.key for message in twins.backfill.messages}
    assert 0 < report["sent"] <= len(sent) < 1000
    assert {f"{at:04}.jpg" for at in range(resumed + 1)} <= sent
    assert signal.getsignal(number) is before


@pytest.mark.parametrize(("module", "code"), [("onnx", 2), ("sklearn", 2)])
def test_a_library_that_was_not_installed_is_named_with_what_brings_it(
    module: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    monkeypatch.setattr("infra.lazy_group.importlib.import_module", fail)

    assert main(["tag", "photos"]) == code
    assert f"`tag` needs {module}, which is not installed: install catalog-tagger[" in capsys.readouterr().err


def test_a_module_of_ours_that_is_missing_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise ModuleNotFoundError("No module named 'infra.gone'", name="infra.gone")

    monkeypatch.setattr("infra.lazy_group.importlib.import_module", fail)

    with pytest.raises(ModuleNotFoundError):
        main(["tag", "photos"])
