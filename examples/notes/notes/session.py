"""A session: one call that stays unanswered as long as the host needs this plugin."""

import asyncio
import signal
from typing import Any

import capnp

from notes import NAME, VERSION, wire
from notes.components import components
from notes.launch import PROTOCOL, Start, log
from notes.runs import Runs

LEFT, REFUSED, LOST = 0, 3, 4  # what the process ends with


def serve(start: Start) -> int:
    """Attaches to the host, and answers the status that the process ends with."""
    return asyncio.run(capnp.run(session(start)))


async def session(start: Start) -> int:
    """From the connection to the end of all work."""
    terminated = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, terminated.set)
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    try:
        stream = await dial(start)
    except OSError as problem:
        log(f"cannot reach the host: {problem.strerror or problem}")
        return LOST
    client = capnp.TwoPartyClient(stream)
    runs = Runs()
    attached = asyncio.create_task(attach(client, start.token, runs))
    ordered = asyncio.create_task(terminated.wait())
    await asyncio.wait({attached, ordered}, return_when=asyncio.FIRST_COMPLETED)
    status = attached.result() if attached.done() else LOST
    await runs.end(client)
    return status


async def dial(start: Start) -> Any:
    """The one connection of this process."""
    if start.path is not None:
        return await capnp.AsyncIoStream.create_unix_connection(start.path)
    return await capnp.AsyncIoStream.create_connection("127.0.0.1", start.port)


async def attach(client: capnp.TwoPartyClient, token: str, runs: Runs) -> int:
    """Joins the host, and answers how the session ended."""
    host = client.bootstrap().cast_as(wire.attach.Host)
    hello = wire.attach.Hello.new_message(
        token=token, protocolVersion=PROTOCOL, name=NAME, version=VERSION, components=components(runs)
    )
    try:
        end = (await host.attach(hello)).end
        how = str(end.which())
    except capnp.KjException:  # the link is lost, or the host says what is unknown here
        return LOST
    if how == "refused":
        log(f"the host refused this plugin: {end.refused}")
        return REFUSED
    return LEFT if how == "leave" else LOST
