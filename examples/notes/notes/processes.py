"""Commands of `/bin/sh` on this machine, with their input and output as they come."""

import asyncio
import contextlib
import fcntl
import os
import signal
import sys
import termios
from collections.abc import Awaitable, Callable
from pathlib import Path

from capnp import KjException

from notes.problems import Failed, Problem, reason
from notes.runs import Stop

Sink = Callable[[bytes], Awaitable[None]]

PIECE = 128 * 1024  # bytes that are read at once
LINGERING = 1.0  # seconds that output may go on after its command
POLITELY = 2.0  # seconds between the wish that a command ends, and its end


class Input:
    """The standard input of a command, which can be written before there is one, and after it stopped reading."""

    def __init__(self) -> None:
        self._pipe: int | None = None
        self._started = asyncio.Event()
        self._closed = asyncio.Event()
        self._turn = asyncio.Lock()

    def begin(self) -> int:
        """The end of a new pipe that is the command's, and its caller's to close."""
        child, self._pipe = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._pipe, False)
        if self._closed.is_set():
            self._drop()
        self._started.set()
        return child

    async def write(self, content: bytes) -> None:
        """Hands bytes on, in the order of the calls; those that nobody reads are dropped."""
        async with self._turn:
            await self._started.wait()
            rest = memoryview(content)
            while rest and self._pipe is not None:
                try:
                    rest = rest[os.write(self._pipe, rest) :]
                except BlockingIOError:
                    await self._writable(self._pipe)
                except BrokenPipeError:
                    return

    async def end(self) -> None:
        """Nothing follows what was written."""
        async with self._turn:
            await self._started.wait()
            self.close()

    def close(self) -> None:
        """Ends the input at once; who still writes is let go."""
        self._closed.set()
        self._started.set()
        self._drop()

    def _drop(self) -> None:
        if self._pipe is not None:
            asyncio.get_running_loop().remove_writer(self._pipe)
            os.close(self._pipe)
            self._pipe = None

    async def _writable(self, pipe: int) -> None:
        loop, room = asyncio.get_running_loop(), asyncio.Event()
        loop.add_writer(pipe, room.set)
        waiting = [asyncio.create_task(event.wait()) for event in (room, self._closed)]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if self._pipe is not None:
                loop.remove_writer(self._pipe)
            for each in waiting:
                each.cancel()


class Output:
    """One of the two outputs of a command."""

    def __init__(self) -> None:
        self._pipe, self.child = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._pipe, False)

    async def carry(self, sink: Sink, ended: asyncio.Event) -> None:
        """Hands all output on, until nobody can write any more, or for a while after the command ended.

        What is not taken is dropped, so that the command can end; then that is raised.
        """
        owed, late = 0, 0.0  # bytes of the command, and when others are not awaited any longer
        failure: KjException | None = None
        while await self._readable(ended):
            if ended.is_set() and not late:
                owed, late = self._waiting(), asyncio.get_running_loop().time() + LINGERING
            content = os.read(self._pipe, PIECE)
            owed -= len(content)
            if not content or (late and owed < 0 and asyncio.get_running_loop().time() > late):
                break
            try:
                if not failure:
                    await sink(content)
            except KjException as problem:
                failure = problem
        if failure:
            raise failure

    def _waiting(self) -> int:
        """How many bytes can be read."""
        return int.from_bytes(fcntl.ioctl(self._pipe, termios.FIONREAD, bytes(4)), sys.byteorder)

    async def _readable(self, ended: asyncio.Event) -> bool:
        loop, ready = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._pipe, ready.set)
        waiting = [asyncio.create_task(event.wait()) for event in (ready, ended)]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if not ready.is_set():
                await asyncio.wait(waiting[:1], timeout=LINGERING)
            return ready.is_set()
        finally:
            loop.remove_reader(self._pipe)
            for each in waiting:
                each.cancel()

    def close(self) -> None:
        os.close(self._pipe)


async def execute(
    line: str, directory: Path, stdout: Sink, stderr: Sink, stop: Stop, stdin: Input | None = None
) -> int:
    """Runs a command to its end; answers its status, or the negative number of the signal that ended it.

    What it left in the background ends with it, at the latest a second later.
    """
    outputs = [Output(), Output()]
    children = [output.child for output in outputs] + ([stdin.begin()] if stdin else [])
    try:
        process = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-c",
            line,
            cwd=directory,
            stdin=children[2] if stdin else asyncio.subprocess.DEVNULL,
            stdout=children[0],
            stderr=children[1],
            process_group=0,
        )
    except (OSError, ValueError) as problem:
        for output in outputs:
            output.close()
        if stdin:
            stdin.close()
        said = reason(problem) if isinstance(problem, OSError) else str(problem)
        raise Failed(Problem(f"the command cannot be started: {said}")) from problem
    finally:
        for child in children:
            os.close(child)
    ended = asyncio.Event()
    carrying = [
        asyncio.create_task(output.carry(sink, ended)) for output, sink in zip(outputs, (stdout, stderr), strict=True)
    ]
    status = await until_end(process, stop)
    ended.set()
    await asyncio.wait(carrying, timeout=LINGERING)
    send(process.pid, signal.SIGKILL)
    if stdin:
        stdin.close()
    carried = await asyncio.gather(*carrying, return_exceptions=True)
    for output in outputs:
        output.close()
    for failure in carried:
        if failure is not None:
            raise failure
    stop.check()
    return status


async def until_end(process: asyncio.subprocess.Process, stop: Stop) -> int:
    """Waits for the end of a process, and brings it about where the work is to stop."""
    waiting = asyncio.create_task(process.wait())
    stopping = asyncio.create_task(stop.changed())
    await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not waiting.done():
        send(process.pid, signal.SIGTERM)
        await asyncio.wait({waiting}, timeout=POLITELY)
    if not waiting.done():
        send(process.pid, signal.SIGKILL)
    return await waiting


def send(group: int, number: signal.Signals) -> None:
    """Sends a signal to a command and what it has started, where any of that is left."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def signal_name(status: int) -> str:
    """The name of the signal that a negative status means, as SSH has it; some have only a number."""
    try:
        return signal.Signals(-status).name.removeprefix("SIG")
    except ValueError:
        return str(-status)
