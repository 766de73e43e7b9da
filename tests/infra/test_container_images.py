"""The recipe of a container image holds what the zip holds, and runs it without rights; its template deploys it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from infra.container_images import with_images
from infra.lock import read_lock
from infra.package import PACKAGES, ROOT, RUNTIME_CLIENT, TEMPLATE, with_code
from infra.wheels import PYTHON_VERSION
from pipeline.errors import CallerError
from tests.infra.template_parts import functions, lint, sam_transformed

if TYPE_CHECKING:
    from pathlib import Path

DOCKERFILE = ROOT / "infra" / "Dockerfile"
ADDRESS = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/catalog-tagger-tag:1"


def instructions() -> list[tuple[str, str]]:
    """Return the recipe's instructions and what follows them, comments left out and lines joined."""
    lines = [line for line in DOCKERFILE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def said(word: str) -> list[str]:
    return [rest for each, rest in instructions() if each == word]


def test_it_runs_on_the_python_that_the_libraries_are_built_for() -> None:
    assert [each.startswith(f"python:{PYTHON_VERSION}-slim") for each in said("FROM")] == [True]


def test_it_runs_as_a_user_without_rights_from_the_last_word_on() -> None:
    words = [word for word, _ in instructions()]
    user, group = said("USER")[0].split(":")

    assert int(user) > 0 < int(group)
    assert not {"RUN", "COPY", "ADD"} & set(words[words.index("USER") :])
    assert f"--uid {user}" in said("RUN")[0]


def test_code_belongs_to_root_and_so_cannot_be_changed_by_whoever_runs_it() -> None:
    assert said("COPY") == ["infra/locks/RuntimeClient.txt /tmp/RuntimeClient.txt", "build/${FUNCTION}/ /var/task/"]


def test_it_installs_nothing_but_the_runtime_client_by_its_hash() -> None:
    (run,) = said("RUN")
    installed = re.findall(r"pip install (.*?)&&", run)

    assert len(installed) == 1
    assert {"--require-hashes", "--no-deps", "--only-binary=:all:"} <= set(installed[0].split())
    assert "awslambdaric" in [each.name for each in read_lock(RUNTIME_CLIENT.lock)]
    assert not re.search(r"apt|curl|wget|http", run)


def test_nothing_reaches_the_image_but_what_it_copies() -> None:
    ignored = DOCKERFILE.with_name("Dockerfile.dockerignore").read_text(encoding="utf-8").split()

    assert ignored == ["*", "!build/*Function", "!infra/locks/RuntimeClient.txt"]
    assert all(package.function.endswith("Function") for package in PACKAGES)


def test_its_command_is_the_handler_of_the_function_that_it_is_made_of_by_default() -> None:
    assert said("ARG") == ["FUNCTION=TagFunction"]
    assert json.loads(said("CMD")[0]) == [functions()["TagFunction"]["Handler"]]
    assert json.loads(said("ENTRYPOINT")[0]) == ["python", "-m", "awslambdaric"]


def test_the_template_of_images_deploys_the_image_and_leaves_the_others_as_they_are(
    aws_environment: None, tmp_path: Path
) -> None:
    text = with_images(TEMPLATE.read_text(encoding="utf-8"), {"TagFunction": ADDRESS})
    made = sam_transformed(
        with_code(text, {each.function: f"s3://some-bucket/{each.function}.zip" for each in PACKAGES})
    )
    found = {name: each["Properties"] for name, each in made["Resources"].items() if name in functions()}

    tag = found.pop("TagFunction")
    assert tag["Code"] == {"ImageUri": ADDRESS}
    assert tag["ImageConfig"] == {"Command": [functions()["TagFunction"]["Handler"]]}
    assert not {"Runtime", "Handler"} & set(tag)
    assert {each["Runtime"] for each in found.values()} == {f"python{PYTHON_VERSION}"}
    path = tmp_path / "transformed.json"
    path.write_text(json.dumps(made))
    assert lint(path) == ""


def test_a_function_that_there_is_not_is_refused() -> None:
    with pytest.raises(CallerError, match="there is no function Tag; choose from TagFunction, "):
        with_images("", {"Tag": ADDRESS})
