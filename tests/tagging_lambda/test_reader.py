"""A picture that kills, hangs or swells the decoder costs only itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import ImageRejected, RetryLater
from pipeline.reject_reasons import RejectReason
from tagging_lambda.image.decode import read_picture
from tagging_lambda.image.reader import PROGRAM, Child, ProcessReader
from tests.builders import CONTRACT, jpeg
from tests.harmful import LIMIT_S, PATIENCE_S, harmed_reader


def forked(program: str = PROGRAM) -> Child:
    """Return a forked child; the only other thread of this process, pytest-xdist's, waits for its next order."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return Child.fork(program)


@pytest.fixture(params=["with its own interpreter", "forked"])
def reader(request):
    with_child = ProcessReader(CONTRACT, child=forked() if request.param == "forked" else None)
    yield with_child
    with_child.close()


@pytest.fixture
def harmed(tmp_path: Path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    with_child = harmed_reader(tmp_path, PATIENCE_S)
    yield with_child
    with_child.close()


def test_the_child_reads_what_this_process_would(reader):
    data = jpeg((10, 200, 90), (300, 200))
    ours, theirs = read_picture(data, CONTRACT), reader.read(data)
    assert np.array_equal(ours.levels, theirs.levels)
    assert (theirs.width_pixels, theirs.height_pixels, theirs.low_information) == (300, 200, True)


def test_a_rejection_comes_through_with_its_reason_and_the_child_goes_on(reader):
    for data, reason in ((b"", RejectReason.EMPTY), (b"GIF89a", RejectReason.CORRUPT), (b"x", RejectReason.NOT_IMAGE)):
        with pytest.raises(ImageRejected) as rejected:
            reader.read(data)
        assert rejected.value.reason is reason
    assert reader.read(jpeg()).width_pixels == 64
    assert reader.deaths == 0


@pytest.mark.parametrize(
    ("picture", "cause", "deaths"),
    [
        (b"exit", "exit code 3", 2),
        (b"kill", "signal 11", 2),
        (b"swell", "signal 6", 2),
        pytest.param(b"hang", "more than 4 s", 1, marks=pytest.mark.slow),
    ],
)
def test_a_harmful_picture_is_rejected_with_the_cause_and_its_neighbours_are_read(harmed, picture, cause, deaths):
    harmed.limit_s = LIMIT_S if picture == b"hang" else PATIENCE_S
    assert harmed.read(jpeg()).width_pixels == 64
    with pytest.raises(ImageRejected, match=cause) as rejected:
        harmed.read(picture)
    assert rejected.value.reason is RejectReason.CORRUPT
    assert harmed.deaths == deaths
    assert harmed.read(jpeg()).width_pixels == 64


@pytest.mark.slow
def test_a_picture_that_kills_late_is_given_what_is_left_of_its_seconds_and_no_more(harmed):
    harmed.limit_s = LIMIT_S
    assert harmed.read(jpeg()).width_pixels == 64
    with pytest.raises(ImageRejected, match="more than 4 s"):
        harmed.read(b"late")
    assert harmed.deaths == 2


def test_what_the_decoder_prints_reaches_nobody(harmed, capfd):
    assert harmed.read(b"noise").width_pixels == 64
    assert capfd.readouterr().err == ""


def test_a_child_that_died_by_another_hand_is_not_the_next_pictures_fault(reader):
    reader.read(jpeg())
    reader.child.process.kill()
    reader.child.process.wait()
    assert reader.read(jpeg()).width_pixels == 64


@pytest.mark.parametrize("start", [Child.start, forked])
def test_a_reader_that_cannot_start_is_nobodys_picture(start):
    broken = ProcessReader(CONTRACT, child=start("no_such_module"))
    with pytest.raises(RetryLater, match=r"did not start \(exit code 1\)"):
        broken.read(jpeg())


def test_after_a_forked_child_has_died_the_next_one_has_its_own_interpreter(reader):
    reader.read(jpeg())
    first = reader.child.process
    os.kill(first.pid, signal.SIGSEGV)
    assert first.wait() == first.poll() == -signal.SIGSEGV
    assert reader.read(jpeg()).width_pixels == 64
    assert isinstance(reader.child.process, subprocess.Popen)


@pytest.mark.parametrize(("threads", "is_forked"), [(0, True), (1, False)])
def test_only_a_process_without_other_threads_is_forked(threads, is_forked):
    program = (
        "import threading; from tagging_lambda.image.reader import ProcessReader; from tests.builders import CONTRACT\n"
        f"for _ in range({threads}): threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        "reader = ProcessReader.forked(CONTRACT); print(reader.child is not None); reader.close()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(is_forked)


def test_what_a_forked_child_has_of_its_parent_leaves_it_as_much_memory_for_a_picture():
    limit_bytes = 100 << 20
    of_the_parent = np.ones(limit_bytes, np.uint8)
    with_child = ProcessReader(CONTRACT, memory_limit_bytes=limit_bytes, child=forked())
    assert with_child.read(jpeg(size=(3000, 2000))).width_pixels == 3000
    assert of_the_parent.all()
    with_child.close()


def test_a_child_has_nothing_of_its_parent_open_but_two_pipes_and_the_shared_memory(reader):
    reader.read(jpeg())
    names = {int(path.name): path.readlink() for path in Path(f"/proc/{reader.child.process.pid}/fd").iterdir()}
    *pipes, devnull, shared = (str(names[number]) for number in sorted(names))
    assert [pipe.split(":")[0] for pipe in pipes] == ["pipe", "pipe"]
    assert devnull == os.devnull
    assert shared.startswith("/memfd:")


def test_a_forked_child_cannot_reach_another_readers_pictures(reader):
    reader.read(jpeg())
    second = ProcessReader(CONTRACT, child=forked())
    second.read(jpeg())
    assert Path(f"/proc/{second.child.process.pid}/maps").read_text().count("/memfd:pictures") == 1
    second.close()


def test_a_closed_reader_leaves_no_child():
    with_child = ProcessReader(CONTRACT)
    with_child.read(jpeg())
    process = with_child.child.process
    with_child.close()
    assert process.returncode is not None


def test_a_picture_larger_than_the_pipe_comes_through(reader):
    data = jpeg(size=(64, 48)) + bytes(5_000_000)
    assert reader.read(data).width_pixels == 64


def test_the_parent_never_loads_the_decoder():
    """Pillow stays in the child, so that a picture can only hurt what is made to be hurt."""
    code = (
        "import tagging_lambda.image.reader, tagging_lambda.reconcile, tagging_lambda.tag_messages, sys\n"
        "sys.exit('PIL' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
