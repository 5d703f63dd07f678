"""The session: one call of `attach`, unanswered for as long as the host needs us."""

import asyncio
import signal

import capnp

from . import NAME, VERSION, builder, connector, lines, program
from .launch import REFUSED, Launch
from .log import log
from .problems import what_failed
from .schema import attach
from .work import Runs

LEFT, BROKEN = 0, 4  # exit statuses, beside those of launch.py


def live(launch: Launch) -> int:
    """Lives through a session and says with which status to exit."""
    return asyncio.run(capnp.run(session(launch)))


async def session(launch: Launch) -> int:
    loop = asyncio.get_running_loop()
    terminated = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, terminated.set)
    # A handler, not SIG_IGN: children would inherit the latter. Ctrl-C reaches a
    # plugin started by hand together with its host, which then cancels in order.
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    try:
        stream = await dial(launch.address)
    except OSError as problem:  # a host listens first, so no second try
        log(f"cannot reach the host: {problem}", "ERROR")
        return BROKEN

    runs = Runs()
    client = capnp.TwoPartyClient(stream)  # the link lives as long as this does
    attached = asyncio.create_task(join(client.bootstrap().cast_as(attach.Host), launch, runs))
    termination = asyncio.create_task(terminated.wait())
    await asyncio.wait({attached, termination}, return_when=asyncio.FIRST_COMPLETED)

    await runs.stop()  # the link may be gone, the clean-up is not
    termination.cancel()
    if attached.done():
        return attached.result()
    attached.cancel()
    log("ended by SIGTERM", "INFO")
    return BROKEN


async def dial(address: bytes):
    scheme, _, rest = address.partition(b":")
    if scheme == b"unix":
        return await capnp.AsyncIoStream.create_unix_connection(rest)
    host, _, port = rest.decode().partition(":")
    return await capnp.AsyncIoStream.create_connection(host, int(port))


async def join(host, launch: Launch, runs: Runs) -> int:
    """Attaches, waits for the end, and says with which status to exit."""
    hello = attach.Hello.new_message(
        token=launch.token,
        protocolVersion=launch.protocol,
        name=NAME,
        version=VERSION,
        sdk=f"pycapnp {capnp.__version__}",
        components=[each.offer(runs) for each in (builder, connector, lines, program)],
    )
    try:
        end = (await host.attach(hello)).end
        how = str(end.which())  # raises for a member that our schema does not know
    except capnp.KjException as problem:
        log(f"the link to the host ended: {what_failed(problem)}", "INFO")
        return BROKEN
    if how == "leave":
        return LEFT
    if how == "refused":
        log(f"the host refused this plugin: {end.refused}", "ERROR")
        return REFUSED
    log(f"the host answered attach with {how!r}", "ERROR")
    return BROKEN
