"""What the embedded AWS is started with, and what becomes of its port."""

from __future__ import annotations

import socket
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from infra.local import emulator
from infra.local.place import Place
from pipeline.errors import DeployerError
from pipeline.stack import LocalRun

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which somebody listens, who is no emulator."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_without_its_library_it_says_what_to_install() -> None:
    with pytest.raises(
        DeployerError, match=r"^ministack is not installed; install it with: pip install 'catalog-tagger\[local\]'"
    ):
        emulator.check_installed(lambda module: None if module == "ministack" else module)


def test_it_is_reached_from_this_machine_only_and_keeps_its_state(place: Place) -> None:
    environment = emulator._environment(place, 4567, {})

    assert environment["BIND_HOST"] == "127.0.0.1"
    assert environment["GATEWAY_PORT"] == "4567"
    assert environment["PERSIST_STATE"] == environment["S3_PERSIST"] == "1"
    kept = {environment[name] for name in ("STATE_DIR", "S3_DATA_DIR", "TMPDIR")}
    assert kept == {str(place.state), str(place.objects), str(place.scratch)}


def test_nothing_of_the_callers_aws_reaches_the_functions(place: Place) -> None:
    callers = {
        "PATH": "/bin",
        "AWS_ACCESS_KEY_ID": "AKIAREAL",
        "AWS_ENDPOINT_URL": "http://elsewhere",
        "AWS_PROFILE": "production",
        "LAMBDA_EXECUTOR": "docker",
        "PYTHONPATH": "/elsewhere",
    }
    environment = emulator._environment(place, 4567, callers)

    assert environment["PATH"] == "/bin"
    assert not {"AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL", "AWS_PROFILE", "LAMBDA_EXECUTOR", "PYTHONPATH"} & {
        *environment
    }
    assert environment["AWS_CONFIG_FILE"] == environment["AWS_SHARED_CREDENTIALS_FILE"] == "/dev/null"


def test_it_comes_back_on_the_port_it_had(taken: int) -> None:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]

    assert emulator.free_port(free) == free


def test_a_port_that_was_taken_meanwhile_is_left_to_its_owner(taken: int) -> None:
    assert emulator.free_port(taken) not in {taken, 0}


def test_an_emulator_that_moves_takes_its_queues_along(place: Place) -> None:
    place.state.mkdir()
    for name in emulator.QUEUE_ADDRESSES:
        (place.state / name).write_text('{"http://localhost:4567/0/uploads": "http://localhost:45678/0/other 4567"}')
    emulator.move(place, before=4567, after=9876)

    for name in emulator.QUEUE_ADDRESSES:
        moved = (place.state / name).read_text()
        assert moved == '{"http://localhost:9876/0/uploads": "http://localhost:45678/0/other 4567"}'


def test_somebody_else_on_the_port_is_not_taken_for_the_emulator(taken: int) -> None:
    closed = LocalRun(port=emulator.free_port(None), pid=1)

    assert not emulator.answers(closed)


def test_an_emulator_that_cannot_start_says_where_the_reason_is(place: Place, taken: int) -> None:
    with pytest.raises(DeployerError, match=f"did not start on port {taken}; {place.log} says why"):
        emulator.start(place, taken)

    assert "already in use" in place.log.read_text()
    assert not place.is_alive()
    assert LocalRun.load(place.folder) == LocalRun(port=taken, pid=None)


def test_stopping_what_has_ended_leaves_it_down(place: Place) -> None:
    run = LocalRun(port=4567, pid=2**22)  # larger than any process id
    run.save(place.folder)

    emulator.stop(place, run)
    assert LocalRun.load(place.folder) == LocalRun(port=4567, pid=None)
