"""One command: its processes, and the pipes between them and us."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal

from .guard import Guard
from .problems import Cancelled, Failed, Problem
from .stream import abort, end, write
from .work import watching

GRACE = 3.0  # seconds that processes have between TERM and KILL
AFTERGLOW = 1.0  # seconds for which a child in the background may go on with the output of its parent
CHUNK_BYTES = 64 << 10
PIPE_BYTES = 64 << 10  # what the system keeps in a pipe


async def run(machine, line: str, stdin, stdout, stderr, cancellation) -> tuple[str, object]:
    """Runs a command to its end, and says how it ended, as a member of `Exit` and its value.

    Both streams were ended, and those ends answered, when this returns. `Failed` and
    `Cancelled` are raised.
    """
    over = asyncio.get_running_loop().create_future()  # done when the output ends, whoever holds the pipe
    outputs = [Output(), Output()]
    group, failure, stopped, ours = None, None, False, False
    try:
        with stdin.lend() as reading:
            group = await Group.start(
                ["/bin/sh", "-c", line],
                cwd=machine.root,
                env=machine.environment(),
                stdin=reading,
                stdout=outputs[0].writing,
                stderr=outputs[1].writing,
            )
            ours = True
    except (OSError, ValueError) as problem:
        failure = Failed(Problem(f"the command cannot be started: {problem}"))
    finally:
        for output in outputs:
            output.close_writing()
    sending = [asyncio.create_task(output.send(to, over)) for output, to in zip(outputs, (stdout, stderr))]
    try:
        if group is not None:
            async with watching(cancellation) as stop:
                stopped = await group.live(stop)
            ours = False
            if group.is_occupied():
                machine.keep(group)
            else:
                await group.leave()
        await asyncio.wait(sending, timeout=AFTERGLOW)
        over.set_result(None)
        undelivered = [problem for problem in [await each for each in sending] if problem]
    finally:  # all of it has ended, or the session has
        stdin.drop()
        if ours:
            await group.end()
        for task in sending:
            task.cancel()
        await asyncio.wait(sending)
        for output in outputs:
            output.close()
    if failure:
        raise failure
    if stopped:
        raise Cancelled
    if undelivered:
        raise Failed(*undelivered)
    return group.exit()


class Group:
    """The processes of a command: a process group, and not a session, so that
    whoever ends our session ends them as well, even after we were killed."""

    def __init__(self, leader: asyncio.subprocess.Process, guard: Guard):
        self.leader, self._guard = leader, guard

    @classmethod
    async def start(cls, arguments: list[str], **how) -> Group:
        """Starts a program: `how` it does is for asyncio to say."""
        guard = await Guard.start()
        try:
            leader = await asyncio.create_subprocess_exec(*arguments, process_group=0, **how)
        except BaseException:
            await guard.leave()
            raise
        guard.watch(leader.pid)
        return cls(leader, guard)

    async def live(self, stop: asyncio.Task) -> bool:
        """Waits for the end of the leader, or ends all of the group: then it says true."""
        ended = asyncio.create_task(self.leader.wait())
        await asyncio.wait({ended, stop}, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            await self.end()
            return True
        return False

    def exit(self) -> tuple[str, object]:
        status = self.leader.returncode
        return ("signal", signal_name(-status)) if status < 0 else ("status", status)

    def is_occupied(self) -> bool:
        """Whether processes are left. It is asked as soon as the leader has ended: much
        later the id of an empty group could be somebody else's."""
        return self._signal(0)

    async def end(self) -> None:
        """Asks all processes to terminate, and kills after a while what is left."""
        self._signal(signal.SIGTERM)
        self._signal(signal.SIGCONT)  # a stopped one could not hear it
        try:
            await asyncio.wait_for(self._empty(), GRACE)
        except (asyncio.TimeoutError, asyncio.CancelledError):
            self._signal(signal.SIGKILL)
            await self.leader.wait()
        await self.leave()

    async def leave(self) -> None:
        """No process of it is left: nobody has to watch it any more."""
        await self._guard.leave()

    async def _empty(self) -> None:
        await self.leader.wait()
        while self.is_occupied():
            await asyncio.sleep(0.02)

    def _signal(self, number: int) -> bool:
        try:
            os.killpg(self.leader.pid, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True


class Output:
    """One output of a command: a pipe of which we read one end."""

    def __init__(self):
        self._reading, self.writing = os.pipe()
        os.set_blocking(self._reading, False)

    def close_writing(self) -> None:
        os.close(self.writing)

    def close(self) -> None:
        os.close(self._reading)

    async def send(self, stream, over: asyncio.Future) -> Problem | None:
        """Sends what comes until the pipe ends or it is over, and ends the stream.

        Once the stream has failed, the rest is dropped and the command goes on.
        """
        problem = None
        async for chunk in self.chunks(over):
            if problem is None:
                problem = await write(stream, chunk)
        if problem is None:
            return await end(stream)
        await abort(stream)
        return problem

    async def chunks(self, over: asyncio.Future):
        """What comes until the pipe ends or it is over."""
        while not over.done():
            try:
                chunk = os.read(self._reading, CHUNK_BYTES)
            except BlockingIOError:
                await self._readable(over)
                continue
            if not chunk:
                return
            yield chunk
        # What was written by then is the command's, however slowly it was taken.
        left = PIPE_BYTES
        with contextlib.suppress(BlockingIOError):
            while left and (chunk := os.read(self._reading, left)):
                left -= len(chunk)
                yield chunk

    async def _readable(self, over: asyncio.Future) -> None:
        loop = asyncio.get_running_loop()
        ready = loop.create_future()
        loop.add_reader(self._reading, lambda: ready.done() or ready.set_result(None))
        try:
            await asyncio.wait({ready, over}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            loop.remove_reader(self._reading)


def signal_name(number: int) -> str:
    """As POSIX names it, without SIG."""
    try:
        return signal.Signals(number).name.removeprefix("SIG")
    except ValueError:
        return f"RTMIN+{number - signal.SIGRTMIN}"
