"""The process of a contestant: it obeys commands from a pipe, and the one who sends them stops it
while it is not its turn.
"""

from __future__ import annotations

import ctypes
import signal
import sys
import time
import timeit
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from .contestant import Call, Options, UnavailableError, create
from .problems import ConvProblem, Problem

WARM = 0.005  # seconds of calls before a turn at least: threads that wake may share a core
TURN = 0.02  # seconds of calls a turn at least, ...
CALLS = 3  # ... and calls, ...
LONGEST = 2.0  # ... but no further call after so many seconds
TRIALS = 3  # calls to choose a contestant's fastest form by
BURST, BURSTS = 1000, 5  # calls timed together, and how often


def serve(pipe: Connection, name: str, options: Options) -> None:
    """Answer commands with ("ok", value), ("unavailable", why) or ("failed", why)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with_parent()
    try:
        session = Session(name, options)
    except UnavailableError as error:
        pipe.send(("unavailable", str(error)))
        return
    pipe.send(("ok", session.contestant.version))
    while True:
        try:
            command, *arguments = pipe.recv()
        except EOFError:
            return
        try:
            with session.contestant.mode():
                answer = ("ok", getattr(session, command)(*arguments))
        except UnavailableError as error:
            answer = ("unavailable", str(error))
        except Exception as error:
            text = str(error).strip() or "no message"
            answer = ("failed", f"{type(error).__name__}: {text.splitlines()[0][:200]}")
        pipe.send(answer)


class Session:
    """One method a command."""

    def __init__(self, name: str, options: Options) -> None:
        self.contestant = create(name, options)
        self.call: Call | None = None

    def prepare(self, problem: Problem, path: str) -> str:
        """Make the call, leave its result in the file, and return the name of its form."""
        forms = self.contestant.prepare(problem)
        form = next(iter(forms))
        if len(forms) > 1:
            form = min(forms, key=lambda name: _fastest(forms[name]))
        self.call = forms[form]
        np.save(path, np.ascontiguousarray(self.contestant.as_array(self.call())))
        return form

    def turn(self) -> list[float]:
        """Seconds of each call, after some to warm up."""
        call, clock = self.call, time.perf_counter
        assert call
        start = clock()
        call()
        while clock() - start < WARM:
            call()
        times: list[float] = []
        start = clock()
        while True:
            before = clock()
            call()
            after = clock()
            times.append(after - before)
            passed = after - start
            if (passed >= TURN and len(times) >= CALLS) or passed >= LONGEST:
                return times

    def burst(self) -> float:
        """Seconds of a call among many, the best of some bursts."""
        assert self.call
        return min(timeit.repeat(self.call, number=BURST, repeat=BURSTS)) / BURST

    def epilogue(self, problem: ConvProblem, seconds: float) -> Any:
        return self.contestant.epilogue(problem, seconds)  # type: ignore[attr-defined]

    def release(self) -> None:
        self.call = None
        self.contestant.release()


def _fastest(call: Call) -> float:
    call()
    return min(timeit.repeat(call, number=1, repeat=TRIALS))


def _die_with_parent() -> None:
    """A stopped process would outlive a killed parent; Linux can tell it to go too."""
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
