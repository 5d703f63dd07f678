"""Configurations: read by the very schema that the host is told, so that the two cannot disagree.

Only the keywords that this plugin uses are known here. `x-must-be` is our own: it says
in words what a pattern or a number of items asks for.
"""

from __future__ import annotations

import json
import re

from .json_text import pointer, read_object
from .problems import Problem, write_problems
from .work import tidy

DIALECT = "https://json-schema.org/draft/2020-12/schema"
WORDS = {
    "string": "a text",
    "boolean": "true or false",
    "object": "an object",
    "integer": "a whole number",
    "array": "a list",
}
TYPES = {"string": str, "boolean": bool, "object": dict, "integer": int, "array": list}
MOST_PROBLEMS = 100

# What the schemas of several components have.
TEXT = {"type": "string", "pattern": r"^[^\u0000]*$", "x-must-be": "a text without NUL"}
VARIABLES = {
    "type": "object",
    "propertyNames": {"pattern": r"^[A-Za-z_][A-Za-z0-9_]*$", "x-must-be": "the name of a variable"},
    "additionalProperties": TEXT,
    "default": {},
}


def schema(properties: dict, required: list[str], examples: list[dict]) -> dict:
    """The schema of a configuration."""
    return {
        "$schema": DIALECT,
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
        "examples": examples,
    }


def prepare(call, config: str, schema: dict, result: str, make, beyond=lambda wanted: ()) -> None:
    """Answers a call of `prepare`: with all problems together, and with what `make` makes of the
    configuration if none of them is an error.

    `beyond` finds what a schema cannot say, warnings among it.
    """
    tidy()
    wanted, problems = read(config, schema)
    problems = problems or [*beyond(wanted)][:MOST_PROBLEMS]
    write_problems(call.results.init("diagnostics", len(problems)), problems)
    if all(problem.severity == "warning" for problem in problems):
        setattr(call.results, result, make(wanted))


def warning(summary: str, *keys) -> Problem:
    """Something that is allowed, and probably not what was meant."""
    return Problem(summary, pointer(*keys), severity="warning")


def read(text: str, schema: dict) -> tuple[dict, list[Problem]]:
    """The configuration, with its defaults, or all of its problems together (the first 100)."""
    config, problems = read_object(text)
    if config or not problems:
        problems = [*problems, *check(config, schema)][:MOST_PROBLEMS]
    return ({}, problems) if problems else (complete(config, schema), [])


def complete(config: dict, schema: dict) -> dict:
    """Every key that the schema knows; None for one that is missing and has no default."""
    return {key: config.get(key, of.get("default")) for key, of in schema["properties"].items()}


def check(value, schema: dict, *keys):
    """What the schema says of a value, with a sentence for each way to miss it."""
    if not is_a(schema["type"], value) or not fits(value, schema):
        yield Problem(f"{named(keys)} must be {wanted(schema)}", pointer(*keys))
    elif isinstance(value, dict):
        yield from members(value, schema, *keys)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from check(item, schema["items"], *keys, index)


def members(value: dict, schema: dict, *keys):
    known, others = schema.get("properties", {}), schema["additionalProperties"]
    if others is False:
        for key in (key for key in value if key not in known):
            yield Problem(f"there is no key {json.dumps(key)}", pointer(*keys, key), hint(key, known))
    for key in (key for key in schema.get("required", []) if key not in value):
        yield Problem(f"{key} is missing", pointer(*keys, key))
    for key in value:
        if key in known:
            yield from check(value[key], known[key], *keys, key)
        elif others:
            yield from other_member(key, value[key], schema, *keys)


def other_member(key: str, value, schema: dict, *keys):
    names = schema["propertyNames"]
    if not matches(names["pattern"], key):
        yield Problem(f"{json.dumps(key)} must be {names['x-must-be']}", pointer(*keys, key))
    yield from check(value, schema["additionalProperties"], *keys, key)


def hint(key: str, known: dict) -> str:
    return f"did you mean {key.lower()}?" if key.lower() in known else f"known keys: {', '.join(known)}"


def is_a(type: str, value) -> bool:
    if type == "integer" and isinstance(value, bool):  # to Python, True is a number as well
        return False
    return isinstance(value, TYPES[type])


def fits(value, schema: dict) -> bool:
    if "enum" in schema and value not in schema["enum"]:
        return False
    if "pattern" in schema and not matches(schema["pattern"], value):
        return False
    if "minimum" in schema and not schema["minimum"] <= value <= schema["maximum"]:
        return False
    return "minItems" not in schema or len(value) >= schema["minItems"]


def matches(pattern: str, text: str) -> bool:
    """As JSON Schema means it: to Python, `$` is before a line break at the end as well."""
    return re.search(re.sub(r"\$$", r"\\Z", pattern), text) is not None


def wanted(schema: dict) -> str:
    if "x-must-be" in schema:
        return schema["x-must-be"]
    if "enum" in schema:
        return " or ".join(map(json.dumps, schema["enum"]))
    if "minimum" in schema:
        return f"a whole number from {schema['minimum']} to {schema['maximum']}"
    return WORDS[schema["type"]]


def named(keys: tuple) -> str:
    """How a person calls a member: `compression`, or `environment, "PATH"`, or `item 2 of lines`."""
    if not keys:
        return "the configuration"
    *above, last = keys
    if isinstance(last, int):
        return f"item {last + 1} of {named(tuple(above))}"
    return f"{named(tuple(above))}, {json.dumps(last)}," if above else last
