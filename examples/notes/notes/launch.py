"""How a host starts this plugin: three variables, checked by the grammar and removed."""

import contextlib
import os
import re
import sys
from dataclasses import dataclass

from notes import NAME, VERSION

PROTOCOL = 1
VARIABLES = (b"PACKER_PLUGIN_ADDRESS", b"PACKER_PLUGIN_TOKEN", b"PACKER_PLUGIN_PROTOCOL")
NUMBER = rb"[1-9][0-9]{0,4}"
LARGEST = 65535


@dataclass(frozen=True)
class Start:
    """Where the host listens, and what proves that it started this process."""

    path: bytes | None
    port: int
    token: str


def log(text: str) -> None:
    """Writes a line to standard error, which may be gone without being a reason to end."""
    with contextlib.suppress(OSError):
        os.write(2, f"{text}\n".encode(errors="replace"))


def launched() -> Start:
    """Answers how to reach the host, or ends the process with the status that is due."""
    values = [os.environb.pop(name, None) for name in VARIABLES]
    if values == [None] * len(VARIABLES):
        log(f"{NAME} {VERSION} is a Packwire plugin: a host such as packwire starts it")
        sys.exit(2)
    address, token, offer = (value or b"" for value in values)
    usable = (is_address(address), token != b"", is_offer(offer))
    unusable = [name.decode() for name, good in zip(VARIABLES, usable, strict=True) if not good]
    if unusable:
        log(f"unusable: {', '.join(unusable)}")
        sys.exit(2)
    if str(PROTOCOL).encode() not in offer.split(b","):
        log(f"packwire: no common protocol version; plugin speaks {PROTOCOL}; host offers {offer.decode()}")
        sys.exit(3)
    leave_deleted_directory()
    scheme, _, rest = address.partition(b":")
    if scheme == b"unix":
        return Start(path=rest, port=0, token=token.decode())
    return Start(path=None, port=int(rest.rpartition(b":")[2]), token=token.decode())


def leave_deleted_directory() -> None:
    """The RPC library cannot be loaded in a working directory that is gone."""
    try:
        os.getcwd()
    except FileNotFoundError:
        os.chdir("/")


def is_address(address: bytes) -> bool:
    """Whether the text is `unix:` and an absolute path, or `tcp:127.0.0.1:` and a port."""
    if re.fullmatch(rb"unix:/[^\0]+", address, re.DOTALL):
        return True
    tcp = re.fullmatch(rb"tcp:127\.0\.0\.1:(" + NUMBER + rb")", address)
    return tcp is not None and int(tcp[1]) <= LARGEST


def is_offer(offer: bytes) -> bool:
    """Whether the text is a list of versions."""
    listed = re.fullmatch(NUMBER + rb"(," + NUMBER + rb")*", offer)
    return listed is not None and all(int(version) <= LARGEST for version in offer.split(b","))
