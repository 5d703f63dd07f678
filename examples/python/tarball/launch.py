"""Launch: three variables say where the host is and what it speaks."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from . import NAME, VERSION

PROTOCOLS = (1,)  # every protocol version that this plugin speaks
NOT_LAUNCHED, REFUSED = 2, 3  # exit statuses


class NotLaunched(Exception):
    """The plugin ends before it dials."""

    def __init__(self, text: str, status: int = NOT_LAUNCHED):
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class Launch:
    address: bytes
    token: str
    protocol: int

    @classmethod
    def take_from(cls, environment) -> Launch:
        """Reads the variables and removes them, so that no child inherits them."""
        names = ("PACKER_PLUGIN_ADDRESS", "PACKER_PLUGIN_TOKEN", "PACKER_PLUGIN_PROTOCOL")
        values = [environment.pop(name, None) for name in names]
        if values == [None] * len(names):  # [launch.not-a-host]
            raise NotLaunched(
                f"packer-plugin-{NAME} {VERSION} is a Packwire plugin: it does nothing by itself, "
                "a host such as packwire starts it"
            )
        # Paths are bytes, and Python decodes the environment: this is the way back.
        address, token, offer = (os.fsencode(value or "") for value in values)
        usable = (is_address(address), is_token(token), is_offer(offer))
        wrong = [name for name, ok in zip(names, usable) if not ok]
        if wrong:  # [launch.bad-address] [version.bad-offer]
            raise NotLaunched(f"unusable: {', '.join(wrong)} (missing, or not of the form that SPEC.md gives)")
        return cls(address, token.decode(), choose(offer.decode()))


def is_number(text: bytes) -> bool:
    return re.fullmatch(rb"[1-9][0-9]{0,4}", text) is not None and int(text) <= 65535


def is_address(text: bytes) -> bool:
    scheme, _, rest = text.partition(b":")
    if scheme == b"unix":
        return len(rest) > 1 and rest.startswith(b"/")
    return scheme == b"tcp" and rest.startswith(b"127.0.0.1:") and is_number(rest[len(b"127.0.0.1:") :])


def is_token(text: bytes) -> bool:
    try:
        return bool(text.decode())  # opaque: only its being text matters to us
    except UnicodeDecodeError:
        return False


def is_offer(text: bytes) -> bool:
    return all(is_number(version) for version in text.split(b","))


def choose(offer: str) -> int:
    """The highest version that both sides speak, compared as numbers. [version.newer-host]"""
    common = set(PROTOCOLS) & {int(version) for version in offer.split(",")}
    if not common:  # [version.refusal-is-final]: the host reads this line
        spoken = ",".join(map(str, sorted(PROTOCOLS)))
        raise NotLaunched(f"packwire: no common protocol version; plugin speaks {spoken}; host offers {offer}", REFUSED)
    return max(common)
