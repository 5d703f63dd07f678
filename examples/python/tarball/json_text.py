"""I-JSON as SPEC.md asks for it: what a text says, and what JSON cannot say here."""

from __future__ import annotations

import json
import math

from .problems import Failed, Problem, printable

MOST = 2**53 - 1  # integers beyond travel as texts


class Members(dict):
    """A JSON object that remembers keys given twice, which Python would forget."""

    def __init__(self, pairs):
        super().__init__(pairs)
        seen: set[str] = set()
        self.twice = sorted({key for key, _ in pairs if key in seen or seen.add(key)})


def read_object(text: str) -> tuple[Members, list[Problem]]:
    """The configuration that a text is, with all that no JSON text may hold."""
    try:
        value = parse(text, "the configuration")
    except Failed as failure:
        return Members(()), [*failure.problems]
    if not isinstance(value, Members):
        return Members(()), [Problem("the configuration is not a JSON object")]
    return value, list(unsayable(value))


def read_value(text: str, what: str):
    """What a text says that has to be JSON; raises what is wrong with it."""
    value = parse(text, what)
    if problems := list(unsayable(value)):
        raise Failed(Problem(f"{what} cannot be passed on as JSON"), *problems)
    return value


def parse(text: str, what: str):
    try:
        return json.loads(text, object_pairs_hook=Members, parse_constant=refuse_constant)
    except RecursionError:
        raise Failed(Problem(f"{what} is nested too deeply")) from None
    except ValueError as problem:
        raise Failed(Problem(f"{what} is not JSON: {problem}")) from None


def refuse_constant(name: str):
    raise ValueError(f"{name} is not a JSON number")


def pointer(*keys) -> str:
    """A JSON Pointer (RFC 6901)."""
    return "".join("/" + printable(str(key)).replace("~", "~0").replace("/", "~1") for key in keys)


def unsayable(value):
    """Keys given twice, texts that are none, and numbers that others read differently, at any depth."""
    rest = [("", value)]  # not recursive: the nesting is somebody else's choice
    while rest:
        path, value = rest.pop()
        if isinstance(value, str) and printable(value) != value:
            yield Problem("a text holds NUL or half of a surrogate pair", path)
        elif isinstance(value, float) and not math.isfinite(value):
            yield Problem("a number is too large", path)
        elif isinstance(value, int) and abs(value) > MOST:
            yield Problem("a whole number is beyond 2^53 - 1, and has to be a text", path)
        elif isinstance(value, list):
            rest += [(path + pointer(index), item) for index, item in enumerate(value)]
        elif isinstance(value, Members):
            for key in value.twice:
                yield Problem(f"the key {json.dumps(key)} is given twice", path + pointer(key))
            for key, item in value.items():
                rest += [(path + pointer(key), key), (path + pointer(key), item)]
