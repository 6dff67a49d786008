"""Views: a message as one set of recipients may see it. Pure.

Owns removing and pseudonymising fields, and hunting down what else in the message repeats them. Never
decides what is withheld from whom: agreements do. A message from which nothing is withheld never comes
here: its bytes go out as they came in.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

# Values shorter than this are words of code lists (a country, a mode); hunting them down elsewhere would
# destroy what the agreement shares. They are removed where the agreement names them.
MIN_HUNTED_CHARACTERS = 4
# What takes the place of a withheld value within a text that is shared.
MARK = "[withheld]"
# Attributes that name the message or its consignment: replaced whole, so that a recipient can still join by them.
_KEYS = ("id", "subject", "correlationid", "causationid")
# Never scrubbed: they come from closed lists or from the broker.
_FIXED = frozenset({"specversion", "source", "type", "datacontenttype", "dataschema", "time", "tlp", "recipients"})

Tokens = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Redacted:
    """A view that is not the original: its bytes, and the event they spell."""

    body: bytes
    event: dict[str, Any]
    withheld: tuple[str, ...]


class TokenKey:
    """Makes the tokens of one agreement and recipient: equal for equal values, and telling nothing of them."""

    def __init__(self, secret: bytes, scope: str) -> None:
        self._key = hmac.new(secret, b"cbm tokens " + scope.encode(), hashlib.sha256).digest()

    def __call__(self, value: str) -> str:
        digest = hmac.new(self._key, value.encode(), hashlib.sha256).digest()
        return "PSN-" + base64.b32encode(digest[:15]).decode()


def pointer_pattern(pattern: str) -> tuple[str, ...]:
    """Split a JSON pointer (RFC 6901) whose segments may be `*`."""
    return tuple(segment.replace("~1", "/").replace("~0", "~") for segment in pattern.split("/")[1:])


def redact(
    body: bytes,
    withhold: Sequence[tuple[str, ...]],
    pseudonymise: Sequence[tuple[str, ...]],
    tokens: Tokens,
) -> Redacted | None:
    """Make the view; None where the message has none of the fields, so that the original may be sent.

    `withhold` and `pseudonymise` are split pointers, all below `/data`.
    """
    event: dict[str, Any] = orjson.loads(body)
    hidden: set[str] = set()
    changed: set[str] = set()
    for pattern in withhold:
        for path in sorted(_matches(event, pattern), reverse=True):
            hidden.update(_texts(_remove(event, path)))
            changed.add(_pointer(path))
    for pattern in pseudonymise:
        for path in _matches(event, pattern):
            parent, last = _parent(event, path)
            hidden.update(_texts(parent[last]))
            parent[last] = _replaced(parent[last], tokens)
            changed.add(_pointer(path))
    if not changed:
        return None
    if isinstance(event.get("data"), dict) and event["data"].pop("native", None) is not None:
        # The document's fingerprint would confirm a guess at what is withheld.
        changed.add("/data/native")
    _prune(event)
    changed.update(_scrub(event, hidden, tokens))
    withheld = tuple(sorted(changed))
    event["withheld"] = " ".join(withheld)
    return Redacted(orjson.dumps(event), event, withheld)


def _matches(event: Any, pattern: tuple[str, ...]) -> list[tuple[str | int, ...]]:
    """Return the paths that a pattern means in this event."""
    found: list[tuple[tuple[str | int, ...], Any]] = [((), event)]
    for segment in pattern:
        further: list[tuple[tuple[str | int, ...], Any]] = []
        for path, value in found:
            if isinstance(value, dict):
                names = list(value) if segment == "*" else [segment]
                further += [((*path, name), value[name]) for name in names if name in value]
            elif isinstance(value, list):
                if segment == "*":
                    further += [((*path, index), one) for index, one in enumerate(value)]
                elif segment.isdecimal() and int(segment) < len(value):
                    further.append(((*path, int(segment)), value[int(segment)]))
        found = further
    return [path for path, _ in found]


def _parent(event: Any, path: tuple[str | int, ...]) -> tuple[Any, Any]:
    for step in path[:-1]:
        event = event[step]
    return event, path[-1]


class _Gone:
    """Stands in a list for an element that was taken out, so that the others keep their places until the end."""


_GONE = _Gone()


def _remove(event: Any, path: tuple[str | int, ...]) -> Any:
    parent, last = _parent(event, path)
    value = parent[last]
    if isinstance(parent, list):
        parent[last] = _GONE
    else:
        del parent[last]
    return value


def _prune(value: Any) -> None:
    """Drop what stands for removed elements, and lists and objects that have nothing left."""
    if isinstance(value, dict):
        for name in list(value):
            inner = value[name]
            _prune(inner)
            if inner in ([], {}) and name != "data":
                del value[name]
    elif isinstance(value, list):
        for inner in value:
            _prune(inner)
        value[:] = [inner for inner in value if inner is not _GONE and inner not in ([], {})]


def _texts(value: Any) -> Iterator[str]:
    """Every value that could be recognised again elsewhere."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield orjson.dumps(value).decode()


def _replaced(value: Any, tokens: Tokens) -> Any:
    if isinstance(value, dict):
        return {name: _replaced(inner, tokens) for name, inner in value.items()}
    if isinstance(value, list):
        return [_replaced(inner, tokens) for inner in value]
    return tokens(value) if isinstance(value, str) else tokens(orjson.dumps(value).decode())


def _scrub(event: dict[str, Any], hidden: set[str], tokens: Tokens) -> set[str]:
    """Hunt down hidden values that are repeated elsewhere; returns the pointers of what was changed."""
    hunted = sorted({h for value in hidden for h in _forms(value)}, key=len, reverse=True)
    if not hunted:
        return set()
    pattern = re.compile("|".join(re.escape(value) for value in hunted), re.IGNORECASE)
    changed: set[str] = set()

    def walk(value: Any, path: tuple[str | int, ...]) -> Any:
        if isinstance(value, dict):
            return {name: walk(inner, (*path, name)) for name, inner in value.items()}
        if isinstance(value, list):
            return [walk(inner, (*path, index)) for index, inner in enumerate(value)]
        text = value if isinstance(value, str) else None
        if text is None and isinstance(value, int | float) and not isinstance(value, bool):
            text = orjson.dumps(value).decode()
        if text is None or pattern.search(text) is None:
            return value
        changed.add(_pointer(path))
        if len(path) == 1 and path[0] in _KEYS:
            return tokens(text)
        if not isinstance(value, str):
            return None
        return tokens(text) if pattern.fullmatch(text) else pattern.sub(MARK, text)

    for name in list(event):
        if name not in _FIXED:
            event[name] = _without_none(walk(event[name], (name,)))
    return changed


def _forms(value: str) -> Iterator[str]:
    """A value as it stands, and without its blanks, as identifiers are normalised."""
    for form in (value, "".join(value.split())):
        if len(form) >= MIN_HUNTED_CHARACTERS:
            yield form


def _without_none(value: Any) -> Any:
    """A number that gave a hidden value away is taken out; null is never written."""
    if isinstance(value, dict):
        return {name: _without_none(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_without_none(inner) for inner in value if inner is not None]
    return value


def _pointer(path: Sequence[str | int]) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)
