"""The configuration: its schema, which is told to the host, and the code that agrees with it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from .json_text import Members, pointer, read_object
from .problems import Problem

DIALECT = "https://json-schema.org/draft/2020-12/schema"
TARGET = r"^[^\u0000]+\.(tar\.gz|tgz)$"
VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"
SCHEMA = {
    "$schema": DIALECT,
    "type": "object",
    "properties": {
        "target": {
            "type": "string",
            "pattern": TARGET,
            "description": "The .tar.gz file to make; relative to the directory that packwire was called in.",
        },
        "environment": {
            "type": "object",
            "propertyNames": {"pattern": VARIABLE},
            "additionalProperties": {"type": "string", "pattern": r"^[^\u0000]*$"},
            "default": {},
            "description": "Variables of the machine, for all commands that run on it.",
        },
        "compression": {
            "type": "integer",
            "minimum": 0,
            "maximum": 9,
            "default": 6,
            "description": "How hard to compress: 0 not at all, 9 as small as can be.",
        },
        "overwrite": {
            "type": "boolean",
            "default": False,
            "description": "Replace a file that is there already, as -force does for the whole build.",
        },
    },
    "required": ["target"],
    "additionalProperties": False,
    "examples": [
        {"target": "image.tar.gz"},
        {"target": "image.tgz", "environment": {"STAGE": "test"}, "compression": 9, "overwrite": True},
    ],
}
OUTPUT_SCHEMA = {
    "$schema": DIALECT,
    "type": "object",
    "properties": {
        "ID": {"type": "string", "description": "The name of the machine, different for each build."},
        "ConnType": {"const": "directory"},
        "User": {"type": "string", "description": "The user as whom commands run."},
        "MachineDirectory": {"type": "string", "description": "Where the machine is while it is provisioned."},
        "ArchivePath": {"type": "string", "description": "The file that was made; known after provisioning."},
        "ArchiveDigest": {"type": "string", "description": "sha256: and its digest; known after provisioning."},
    },
    "required": ["ID", "ConnType", "User", "MachineDirectory"],
}
DOCUMENTATION = """\
Makes an empty directory, runs the provisioners in it as if it were a machine, and packs it as a `.tar.gz` file.

Commands run with `/bin/sh`. The directory is their working directory and their `HOME`; relative paths of uploads
and downloads start there. `TMPDIR` is beside it and is not packed. It is a place, not a jail: an absolute path is
this computer's, and commands have the rights of whoever runs the host.

The file appears when the provisioners are through, as a whole or not at all.
"""


@dataclass(frozen=True)
class Config:
    target: str
    environment: dict[str, str] = field(default_factory=dict)
    compression: int = 6
    overwrite: bool = False


def read(text: str) -> tuple[Config | None, list[Problem]]:
    """The configuration, or all of its problems together (the first 100)."""
    config, problems = read_object(text)
    if not problems or config:
        problems = [*problems, *members(config)][:100]
    return (None, problems) if problems else (Config(**config), [])


def members(config: Members):
    """What SCHEMA says, with a sentence for each way to miss it."""
    known = SCHEMA["properties"]
    for key in (key for key in config if key not in known):
        hint = f"did you mean {key.lower()}?" if key.lower() in known else f"known keys: {', '.join(known)}"
        yield Problem(f"there is no key {json.dumps(key)}", pointer(key), hint)
    for key in SCHEMA["required"]:
        if key not in config:
            yield Problem(f"{key} is missing", pointer(key))
    for key in (key for key in config if key in known):
        yield from member(key, config[key], known[key]["type"])


def member(key: str, value, wanted: str):
    words = {"string": "a text", "boolean": "true or false", "object": "an object", "integer": "a whole number"}
    if not is_a(wanted, value):
        yield Problem(f"{key} must be {words[wanted]}", pointer(key))
    elif key == "target" and not re.search(TARGET, value):
        yield Problem("target must be the path of a file whose name ends in .tar.gz or .tgz", pointer(key))
    elif key == "compression" and not 0 <= value <= 9:
        yield Problem("compression must be from 0 to 9", pointer(key))
    elif key == "environment":
        yield from variables(value)


def is_a(wanted: str, value) -> bool:
    if wanted == "integer":  # to Python, True is one as well
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, {"string": str, "boolean": bool, "object": dict}[wanted])


def variables(environment: dict):
    for name, value in environment.items():
        if not re.fullmatch(VARIABLE, name):
            yield Problem(f"{json.dumps(name)} is no name of a variable", pointer("environment", name))
        if not isinstance(value, str):
            yield Problem(f"the variable {json.dumps(name)} must be a text", pointer("environment", name))
