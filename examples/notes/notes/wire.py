"""The interfaces of the protocol, from its schema files as they are."""

import sys
from pathlib import Path
from typing import Any

import capnp

from notes import NAME

DIRECTORY = Path(__file__).resolve().parents[3] / "schema" / "packwire"
if not (DIRECTORY / "attach.capnp").is_file():  # the library would end the process without a word
    sys.exit(f"{NAME}: there is no schema at {DIRECTORY}")


def load(name: str) -> Any:
    """Loads one of the schema files."""
    return capnp.load(str(DIRECTORY / f"{name}.capnp"))


artifact: Any = load("artifact")
attach: Any = load("attach")
builder: Any = load("builder")
communicator: Any = load("communicator")
connector: Any = load("connector")
data_source: Any = load("data-source")
provisioner: Any = load("provisioner")
recovery: Any = load("recovery")
stream: Any = load("stream")
work: Any = load("work")
