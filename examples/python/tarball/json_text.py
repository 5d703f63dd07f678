"""I-JSON as SPEC.md asks for it: what a text says, and what JSON cannot say here."""

from __future__ import annotations

import json

from .problems import Problem, printable


class Members(dict):
    """A JSON object that remembers keys given twice, which Python would forget."""

    def __init__(self, pairs):
        super().__init__(pairs)
        seen: set[str] = set()
        self.twice = sorted({key for key, _ in pairs if key in seen or seen.add(key)})


def read_object(text: str) -> tuple[Members, list[Problem]]:
    """The object that a text is, with all that no JSON text may hold."""
    try:
        value = json.loads(text, object_pairs_hook=Members, parse_constant=refuse_constant)
    except RecursionError:
        return Members(()), [Problem("the configuration is nested too deeply")]
    except ValueError as problem:
        return Members(()), [Problem(f"the configuration is not JSON: {problem}")]
    if not isinstance(value, Members):
        return Members(()), [Problem("the configuration is not a JSON object")]
    return value, list(texts_and_keys(value))


def refuse_constant(name: str):
    raise ValueError(f"{name} is not a JSON number")


def pointer(*keys) -> str:
    """A JSON Pointer (RFC 6901)."""
    return "".join("/" + printable(str(key)).replace("~", "~0").replace("/", "~1") for key in keys)


def texts_and_keys(config: Members):
    """Keys given twice, and texts that are none, at any depth."""
    rest = [("", config)]  # not recursive: the nesting is the template's choice
    while rest:
        path, value = rest.pop()
        if isinstance(value, str) and printable(value) != value:
            yield Problem("a text holds NUL or half of a surrogate pair", path)
        elif isinstance(value, list):
            rest += [(path + pointer(index), item) for index, item in enumerate(value)]
        elif isinstance(value, Members):
            for key in value.twice:
                yield Problem(f"the key {json.dumps(key)} is given twice", path + pointer(key))
            for key, item in value.items():
                rest += [(path + pointer(key), key), (path + pointer(key), item)]
