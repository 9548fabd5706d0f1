"""The contestants' processes, of which one runs at a time: the others are stopped, so that a pool
of threads that spins while it waits takes nothing from whose turn it is.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from machine import others_seconds

from .contestant import Options, UnavailableError
from .worker import serve

PATIENCE = 300.0  # seconds for an answer


class FailedError(Exception):
    """A contestant raised an exception, died or gave no answer."""


class Worker:
    """A contestant's process, seen from outside. It starts again after a failure."""

    def __init__(self, name: str, options: Options) -> None:
        self.name = name
        self.options = options
        self.seconds = self.others = 0.0  # in turns: passed, and of other processes' cores
        self._process: Any = None
        self._pipe: Connection | None = None
        self.version = self._start()

    def __call__(self, command: str, *arguments: Any) -> Any:
        """What the command returns; raises `UnavailableError` or `FailedError`."""
        if self._pipe is None:
            self._start()
        assert self._pipe
        self._signal(signal.SIGCONT)
        try:
            self._pipe.send((command, *arguments))
            with self._watch(command == "turn"):
                answer = self._answer()
        except OSError as error:
            raise self._dead() from error
        self._signal(signal.SIGSTOP)
        return answer

    def close(self) -> None:
        """Kill: a stopped process hears nothing else."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
        self._process = self._pipe = None

    def _start(self) -> str:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        arguments = (theirs, self.name, self.options)
        self._process = context.Process(target=serve, args=arguments, daemon=True)
        self._process.start()
        theirs.close()
        try:
            version: str = self._answer()
        except UnavailableError:
            self.close()
            raise
        self._signal(signal.SIGSTOP)
        return version

    def _answer(self) -> Any:
        assert self._pipe
        try:
            if not self._pipe.poll(PATIENCE):
                self.close()
                raise FailedError(f"no answer within {PATIENCE:.0f} s")
            status, value = self._pipe.recv()
        except (EOFError, ConnectionError) as error:
            raise self._dead() from error
        if status == "ok":
            return value
        self._signal(signal.SIGSTOP)
        raise (UnavailableError if status == "unavailable" else FailedError)(value)

    def _signal(self, number: signal.Signals) -> None:
        if not self._process.is_alive():
            raise self._dead()
        os.kill(self._process.pid, number)

    def _dead(self) -> FailedError:
        self._process.join()
        code = self._process.exitcode
        self.close()
        return FailedError(f"its process ended with {code}")

    @contextmanager
    def _watch(self, watched: bool) -> Iterator[None]:
        """Add up what other processes computed meanwhile, where Linux tells."""
        start, before = time.perf_counter(), self._others()
        yield
        after = self._others()
        if watched and before is not None and after is not None:
            self.seconds += time.perf_counter() - start
            self.others += after - before

    def _others(self) -> float | None:
        """CPU seconds of all processes but this one and the contestant's."""
        others, stat = others_seconds(), Path(f"/proc/{self._process.pid}/stat")
        if others is None:
            return None
        user, system = stat.read_text().rpartition(")")[2].split()[11:13]
        return others - (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
