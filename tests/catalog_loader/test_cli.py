"""The loader's commands as they are typed: mistakes in one line, and help that is quick."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from catalog_loader.load import Only
from infra.cli import main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("arguments", "mistake"),
    [
        (["load"], "Missing argument"),
        (["load", "nowhere.csv"], "nowhere.csv is neither s3://bucket/prefix nor a manifest file"),
        (["load", "s3://"], "'s3://' is not a place in S3; write s3://bucket/prefix"),
        (["load", "s3://shop", "--only", "new"], "'new' is not one of 'missing', 'stale', 'rejected'"),
        (["load", "s3://shop", "--max-cost", "-1"], "--max-cost is -1.0; it must be an amount of USD from 0 on"),
        (["load", "s3://shop", "--max-waiting", "0"], "0 is not in the range x>=1"),
        (["load", "s3://shop", "--image-ms", "0"], "0.0 is not in the range x>0"),
        (["load", "s3://shop", "--run", "a b"], "'a b'"),
        (["load", "s3://shop/\udcff"], "'s3://shop/\\udcff' is not valid Unicode"),
        (["load", "s3://shop", "--start-after", "\udcff"], "'\\udcff' is not valid Unicode"),
        (["audit", "shop"], "shop is neither s3://bucket/prefix nor a manifest file"),
        (["audit", "m.csv", "--deep"], "a manifest is not compared with the export; leave --export and --deep out"),
        (["audit", "s3://shop", "--export", ".", "--no-export"], "--export and --no-export exclude each other"),
        (["redrive", "BadMessage"], "unexpected extra argument (BadMessage)"),
        (["status", "now"], "unexpected extra argument (now)"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_line_and_exit_code_2(
    arguments: list[str], mistake: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2

    out, err = capsys.readouterr()
    assert out == ""
    assert mistake in err
    assert len(err.splitlines()) == 1


def test_a_mistake_in_a_manifest_names_its_file_and_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "catalogue.csv"
    path.write_text("image\ns3://shop/a.jpg\nb.jpg\n")

    assert main(["load", str(path)]) == 2

    err = capsys.readouterr().err
    assert err == f"catalog-tagger: {path}, line 3: 'b.jpg' is not a place in S3; write s3://bucket/prefix\n"


def test_the_list_of_commands_imports_none_of_them(root: Path) -> None:
    code = (
        "import sys; from infra.cli import main; code = main(['--help'])\n"
        "sys.exit(code or any(name in sys.modules for name in ('boto3', 'onnxruntime', 'pyarrow')))"
    )

    helped = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, check=False, text=True)

    assert helped.returncode == 0, helped.stderr
    assert helped.stdout.startswith("Usage: catalog-tagger")


def test_the_choices_that_are_typed_are_those_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    main(["load", "--help"])
    assert f"--only [{'|'.join(Only)}]" in capsys.readouterr().out
