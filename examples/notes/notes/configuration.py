"""Configurations: JSON texts, checked against the schema that their component declares.

Of JSON Schema this knows what the schemas of this plugin use; defaults are filled in, and what is
deprecated is warned of.
"""

import json
import re
from collections import Counter
from typing import Any

from notes.problems import Problem

Schema = dict[str, Any]
LONG = 20  # digits


class Members(dict[str, Any]):
    """A JSON object that remembers which keys it was given twice."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.twice = [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]


def read(text: str, schema: Schema) -> tuple[Members, list[Problem]]:
    """The configuration that a text stands for, and all that is wrong with it."""
    try:
        wanted = json.loads(text, object_pairs_hook=Members, parse_int=number, parse_constant=refuse)
    except (ValueError, RecursionError) as problem:
        return Members([]), [Problem(f"the configuration is not JSON: {problem}")]
    if not isinstance(wanted, Members):
        return Members([]), [Problem("the configuration is not a JSON object")]
    problems = unusual(wanted) + mistakes(wanted, schema, "")
    for key, option in schema["properties"].items():
        if "default" in option:
            wanted.setdefault(key, option["default"])
        elif key in wanted and option.get("deprecated"):
            problems.append(Problem(f"{key} is going to vanish: {option['description']}", f"/{key}", warning=True))
    return wanted, problems


def number(digits: str) -> int | float:
    """An integer, exactly; one so long that every schema refuses it only nearly."""
    return int(digits) if len(digits) < LONG else float(digits)


def refuse(constant: str) -> None:
    """Numbers that JSON does not have."""
    raise ValueError(f"{constant} is no number of JSON")


def unusual(wanted: Members) -> list[Problem]:
    """What I-JSON does not have, at any depth: keys that are given twice, and characters that no text may hold."""
    problems = []
    places: list[tuple[str, Any]] = [("", wanted)]
    while places:
        path, value = places.pop()
        if isinstance(value, Members):
            problems += [Problem(f"the key {json.dumps(key)} is given twice", at(path, key)) for key in value.twice]
            problems += [Problem(f"{json.dumps(key)} cannot be a key", path) for key in value if not is_text(key)]
            places += [(at(path, key), each) for key, each in value.items() if is_text(key)]
        elif isinstance(value, list):
            places += [(f"{path}/{index}", each) for index, each in enumerate(value)]
        elif isinstance(value, str) and not is_text(value):
            problems.append(Problem("the text holds characters that no text may hold", path))
    return problems


def is_text(value: str) -> bool:
    """Whether the text is without NUL and halves of surrogate pairs."""
    return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)


def at(path: str, key: str) -> str:
    """The JSON Pointer to a member."""
    return f"{path}/{key.replace('~', '~0').replace('/', '~1')}"


def mistakes(value: Any, schema: Schema, path: str) -> list[Problem]:
    """All that a schema refuses in a value."""
    kind = schema["type"]
    name = path.rpartition("/")[2] or "the configuration"
    if not is_of(value, kind):
        return [Problem(f"{name} must be of the type {kind}", path)]
    if kind == "object":
        return mistakes_of_members(value, schema, path)
    if kind == "array":
        return [each for index, item in enumerate(value) for each in mistakes(item, schema["items"], f"{path}/{index}")]
    if kind == "string":
        if len(value) < schema.get("minLength", 0):
            return [Problem(f"{name} must not be empty", path)]
        if "pattern" in schema and not re.search(schema["pattern"], value):
            return [Problem(f"{name} must match {schema['pattern']}", path)]
    if kind == "integer" and not schema["minimum"] <= value <= schema["maximum"]:
        return [Problem(f"{name} must be from {schema['minimum']} to {schema['maximum']}", path)]
    return []


def mistakes_of_members(value: Members, schema: Schema, path: str) -> list[Problem]:
    """All that a schema refuses in an object."""
    known = schema["properties"]
    problems = [Problem(f"{key} is missing", at(path, key)) for key in schema["required"] if key not in value]
    for key, each in value.items():
        if key in known:
            problems += mistakes(each, known[key], at(path, key))
        elif is_text(key):
            problems.append(Problem(f"there is no option {json.dumps(key, ensure_ascii=False)}", at(path, key)))
    return problems


def is_of(value: Any, kind: str) -> bool:
    """Whether a value has a type of JSON Schema, to which 1.0 is an integer and true is none."""
    if kind == "integer":
        return isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1
    return isinstance(value, {"object": dict, "array": list, "string": str, "boolean": bool}[kind])
