"""Where the embedded AWS keeps its state on this machine, and the lock that says whether it lives."""

from __future__ import annotations

import fcntl
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pipeline.stack import LocalRun, local_folder

PROBE_LIMIT_S = 1.0  # chosen by us: whoever only asks whether the emulator lives has the lock for a moment


@dataclass(frozen=True, slots=True)
class Place:
    """The folder of the embedded AWS. What it holds outlives ``local down``, but for ``scratch``.

    ``checks_permissions`` makes it refuse what the roles do not allow, as AWS does.
    """

    folder: Path
    checks_permissions: bool = False

    @property
    def state(self) -> Path:
        """Everything but objects: written when it stops."""
        return self.folder / "state"

    @property
    def objects(self) -> Path:
        """The objects of its S3: written as they come."""
        return self.folder / "s3"

    @property
    def scratch(self) -> Path:
        """Where its workers unpack the functions' code: of no use once it is down."""
        return self.folder / "tmp"

    @property
    def log(self) -> Path:
        """What it and the functions print. The log of the run before lies beside it."""
        return self.folder / "ministack.log"

    def life_lock(self) -> IO[str]:
        """Return a lock that is held as long as a process has the file open: handed to the emulator, it tells its life.

        A process id alone would not: another process may have got it since.

        Raises:
            BlockingIOError: a process is alive that was handed it.
        """
        lock = (self.folder / "alive.lock").open("w")
        until_s = time.monotonic() + PROBE_LIMIT_S
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until_s:
                    lock.close()
                    raise
                time.sleep(PROBE_LIMIT_S / 100)
            else:
                return lock

    def is_alive(self) -> bool:
        """Return whether the emulator's process runs."""
        if not self.folder.exists():
            return False
        with (self.folder / "alive.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def was_stopped_cleanly_once(self) -> bool:
        """Return whether there is a state to come back to."""
        return (self.state / "cloudformation.json").exists()

    def forget(self) -> None:
        """Remove what was never kept whole, as if there had never been a local stack. The logs stay."""
        LocalRun.forget(self.folder)
        for folder in (self.state, self.objects, self.scratch):
            shutil.rmtree(folder, ignore_errors=True)

    def tidy(self) -> None:
        """Remove what a stopped emulator leaves behind."""
        shutil.rmtree(self.scratch, ignore_errors=True)


def default_place() -> Place:
    """Return the place in the project's home."""
    return Place(local_folder())
