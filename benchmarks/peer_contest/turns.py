"""Processes that take turns, one to a contestant: all but the one that is asked are stopped."""

from __future__ import annotations

import multiprocessing
import os
import signal
from multiprocessing.connection import Connection
from typing import Any

from .training import CONTESTANTS


def _serve(pipe: Connection, contestant: Any, network: Any, threads: int) -> None:
    trainer = contestant(network, threads)
    pipe.send("ready")
    while True:
        try:
            method, *arguments = pipe.recv()
        except EOFError:
            return
        pipe.send(getattr(trainer, method)(*arguments))


class Stage:
    """The contestants with one network: trainers, or others. Use it in a `with`."""

    def __init__(
        self, names: list[str], network: Any, threads: int, contestants: Any = CONTESTANTS
    ) -> None:
        self.names = names
        self._contestants = contestants
        self._network, self._threads = network, threads
        self._workers: dict[str, tuple[Any, Connection]] = {}

    def __enter__(self) -> Stage:
        context = multiprocessing.get_context("spawn")
        for name in self.names:
            pipe, theirs = context.Pipe()
            arguments = (theirs, self._contestants[name], self._network, self._threads)
            process = context.Process(target=_serve, args=arguments, daemon=True)
            process.start()
            theirs.close()
            pipe.recv()
            os.kill(process.pid, signal.SIGSTOP)  # type: ignore[arg-type]
            self._workers[name] = process, pipe
        return self

    def ask(self, name: str, method: str, *arguments: Any) -> Any:
        """What the contestant's method returns."""
        process, pipe = self._workers[name]
        os.kill(process.pid, signal.SIGCONT)
        pipe.send((method, *arguments))
        answer = pipe.recv()
        os.kill(process.pid, signal.SIGSTOP)
        return answer

    def __exit__(self, *_: object) -> None:
        for process, _pipe in self._workers.values():
            process.kill()
            process.join()
