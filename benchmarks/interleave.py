"""Ways to do the same thing, each in a process of its own, timed in turns: A B A B.

In turns, because a machine gets slower and quicker while one measures, and what is compared should
meet the same machine. In processes, because each way has its own threads and caches, its own
versions of what the bridge mends, and its own peak of memory.
"""

import multiprocessing
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

from tqdm import tqdm

_ROOT = Path(__file__).resolve().parent.parent


class NotMeasuredError(Exception):
    """Says in a few words why a way cannot be measured here."""


@dataclass(frozen=True)
class Run:
    """What one run took: seconds, megabytes at its peak, and what it answered."""

    seconds: float
    peak: float
    answer: Any = None


@dataclass(frozen=True)
class Runs:
    """All runs of one way."""

    runs: list[Run] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """The median."""
        return median(run.seconds for run in self.runs)

    @property
    def peak(self) -> float:
        """The highest, in megabytes, of the whole process."""
        return max(run.peak for run in self.runs)

    @property
    def answers(self) -> list[Any]:
        """What the runs answered, in order."""
        return [run.answer for run in self.runs]


def interleave(
    ways: Mapping[Any, Callable[[], Run]], repeats: int, warm_ups: int = 1
) -> dict[Any, Runs]:
    """Run each way once, then each again, and so on.

    Args:
        ways: by name, what runs it once.
        repeats: how often each is timed.
        warm_ups: how often each is run before, untimed.
    """
    found = {name: Runs() for name in ways}
    with tqdm(total=len(ways) * (warm_ups + repeats), unit="run", leave=False) as bar:
        for number in range(warm_ups + repeats):
            for name, run in ways.items():
                bar.set_description(str(name))
                done = run()
                bar.update()
                if number >= warm_ups:
                    found[name].runs.append(done)
    return found


def python(*arguments: str) -> Run:
    """Start Python, wait for its end; what it prints is dropped unless it fails.

    Args:
        arguments: Python's, as ``-c`` and a program.

    Raises:
        NotMeasuredError: it failed.
    """
    start = time.perf_counter()
    started = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=_ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert started.stderr is not None
    said = started.stderr.read()
    _, status, used = os.wait4(started.pid, 0)
    seconds = time.perf_counter() - start
    started.returncode = os.waitstatus_to_exitcode(status)
    if started.returncode:
        raise NotMeasuredError((said.strip().splitlines() or ["it failed"])[-1])
    return Run(seconds, used.ru_maxrss / 1024)


class Worker:
    """A process that has prepared something and runs it on demand."""

    def __init__(self, prepare: Callable[..., Callable[..., Any]], **arguments: Any) -> None:
        """Start it; it is ready when ``wait`` returns.

        Args:
            prepare: a function of a module, that takes ``arguments`` and returns what is timed.
        """
        spawn = multiprocessing.get_context("spawn")
        self._line, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_serve, args=(theirs, prepare, arguments), daemon=True)
        self._process.start()
        theirs.close()

    def wait(self) -> None:
        """Wait until it is ready.

        Raises:
            NotMeasuredError: it cannot be prepared, or says why it is not.
        """
        self._receive()

    def run(self, *arguments: Any) -> Run:
        """Run once.

        Raises:
            NotMeasuredError: it failed.
        """
        self._line.send(arguments)
        return self._receive()

    def close(self) -> None:
        """End the process."""
        self._line.close()
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()

    def _receive(self) -> Any:
        try:
            answer = self._line.recv()
        except EOFError:
            self._process.join()
            raise NotMeasuredError(f"its process ended ({self._process.exitcode})") from None
        if isinstance(answer, NotMeasuredError):
            raise answer
        return answer


@contextmanager
def ready(**started: Worker) -> Iterator[dict[str, Worker]]:
    """The workers by name, once all are ready, for as long as the block runs."""
    with ExitStack() as stack:
        for one in started.values():
            stack.callback(one.close)
        for one in started.values():
            one.wait()
        yield started


def _serve(line: Connection, prepare: Callable[..., Any], arguments: dict[str, Any]) -> None:
    os.chdir(_ROOT)
    try:
        timed = prepare(**arguments)
        line.send(None)
        while True:
            line.send(_timed(timed, line.recv()))
    except (EOFError, KeyboardInterrupt):  # nobody asks any more
        return
    except NotMeasuredError as reason:
        line.send(reason)
    except Exception as error:
        traceback.print_exc()
        line.send(NotMeasuredError(f"{type(error).__name__}: {error}".splitlines()[0]))


def _timed(timed: Callable[..., Any], arguments: tuple[Any, ...]) -> Run:
    Path("/proc/self/clear_refs").write_text("5")  # Linux: forget the highest peak so far
    start = time.perf_counter()
    answer = timed(*arguments)
    seconds = time.perf_counter() - start
    for said in Path("/proc/self/status").read_text().splitlines():
        if said.startswith("VmHWM:"):
            return Run(seconds, int(said.split()[1]) / 1024, answer)
    raise NotMeasuredError("this system does not tell how much memory a process has used")
