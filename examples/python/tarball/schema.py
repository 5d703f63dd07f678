"""The interfaces, from schema/packwire as it is.

pycapnp compiles schemas when it loads them. Load each from one place only: it
ends the whole process, without an exception, when an import cannot be found or
when one file id is met in two places.
"""

import sys
from pathlib import Path

import capnp

DIRECTORY = Path(__file__).resolve().parents[3] / "schema" / "packwire"
if not (DIRECTORY / "attach.capnp").is_file():
    sys.exit(f"packer-plugin-tarball: no schema at {DIRECTORY}")

artifact = capnp.load(str(DIRECTORY / "artifact.capnp"))
attach = capnp.load(str(DIRECTORY / "attach.capnp"))
builder = capnp.load(str(DIRECTORY / "builder.capnp"))
communicator = capnp.load(str(DIRECTORY / "communicator.capnp"))
connector = capnp.load(str(DIRECTORY / "connector.capnp"))
data_source = capnp.load(str(DIRECTORY / "data-source.capnp"))
provisioner = capnp.load(str(DIRECTORY / "provisioner.capnp"))
recovery = capnp.load(str(DIRECTORY / "recovery.capnp"))
stream = capnp.load(str(DIRECTORY / "stream.capnp"))
work = capnp.load(str(DIRECTORY / "work.capnp"))
