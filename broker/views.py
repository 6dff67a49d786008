"""Views: a message as one set of recipients may see it. Pure.

Owns removing and pseudonymising fields, and what becomes of a place that repeats them: a key becomes a
token, a text a token or `[withheld]`, a number or date goes. Never decides what is withheld from whom:
agreements do. A message from which nothing is withheld never comes here: its bytes go out as they came in.
Of a signature by field it leaves what still tells true, and tells no more than the view.

Shared with every recipient, whatever an agreement withholds: type, source, dataschema and marking, which
say under which agreement it came; and the words of closed lists in fields that are not named themselves
(the scheme of an identifier, a severity).
"""

import base64
import hmac
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from broker.disclosures import CLEAR, SEPARATOR, places
from broker.hunt import MARK, MIN_HUNTED_CHARACTERS, Hunt, Numeral, marked, plain
from schemas.alert import Alert
from schemas.codes import normal_identifier
from schemas.shipment import Shipment
from schemas.view import closed_words

__all__ = ["MARK", "MIN_HUNTED_CHARACTERS", "Redacted", "Redaction", "TokenKey", "is_mark", "pointer_pattern", "redact"]

# Never searched: they come from closed lists, or say who sent it; and so a signature by field may show them.
_FIXED = CLEAR
# Attributes that name a message or consignment: replaced whole, so that a recipient can still join by them.
_KEYS = frozenset({"id", "subject", "correlationid", "causationid"})
# Attributes of a fixed form, in which no mark can stand: they go.
_FORMED = frozenset({"time", "expires", "receivedtime", "traceparent"})
# Taken apart, never searched: what is found in them by chance is no value.
_SIGNED = ("signature", "digests", "disclosures")
_TOKEN = re.compile(r"PSN-[A-Z2-7]{24}")
# Fields whose words come from closed lists: what stands there was copied from nowhere.
_CLOSED = closed_words(Shipment) | closed_words(Alert)

Path = tuple[str | int, ...]
Tokens = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Redacted:
    """A view that is not the original: its bytes, and what goes beside them."""

    body: bytes
    id: str
    correlation_id: str | None
    withheld: tuple[str, ...]


class TokenKey:
    """Makes the tokens of one agreement and recipient: equal for equal values, and telling nothing of them."""

    def __init__(self, secret: bytes, scope: str) -> None:
        self._key = hmac.digest(secret, b"cbm tokens " + scope.encode(), "sha256")

    def __call__(self, value: str) -> str:
        digest = hmac.digest(self._key, value.encode(), "sha256")
        return "PSN-" + base64.b32encode(digest[:15]).decode()


def is_mark(value: object) -> bool:
    """Tell whether a value stands for a withheld one: a token, or a text out of which something was taken."""
    return isinstance(value, str) and (MARK in value or _TOKEN.fullmatch(value) is not None)


def pointer_pattern(pattern: str) -> tuple[str, ...]:
    """Split a JSON pointer (RFC 6901) whose segments may be `*`."""
    return tuple(segment.replace("~1", "/").replace("~0", "~") for segment in pattern.split("/")[1:])


def redact(
    body: bytes,
    withhold: Sequence[tuple[str, ...]],
    pseudonymise: Sequence[tuple[str, ...]],
    tokens: Tokens,
) -> Redacted | None:
    """Make one view; None where the message has none of the fields, so that the original may be sent.

    `withhold` and `pseudonymise` are split pointers, all below `/data`.
    """
    redaction = Redaction.of(body, withhold, pseudonymise)
    return None if redaction is None else redaction.view(tokens)


class Redaction:
    """What is done to one message, found and written once; each recipient's own tokens are filled in last."""

    def __init__(self, event: dict[str, Any], removed: Sequence[Path], tokened: Sequence[Path]) -> None:
        self._changed: set[str] = set()
        self._tokened: list[tuple[Any, Any, str]] = []
        signed = {name: event.pop(name) for name in _SIGNED if name in event}
        about = [(path, _at(event, path)) for path in places(event)] if "digests" in signed else []
        hidden: list[str | float] = []
        for path in (*removed, *tokened):
            # The document's fingerprint would confirm a guess; what it holds is not repeated elsewhere.
            if path != _NATIVE:
                hidden += _values(_at(event, path))
            self._changed.add(_pointer(path))
        for path in tokened:
            self._replace(event, path)
        self._hunt = Hunt(hidden)
        self._scrub_attributes(event, frozenset(tokened) | frozenset(removed))
        for path in removed:
            _at(event, path[:-1])[path[-1]] = _GONE
        for number, (container, name, _) in enumerate(self._tokened):
            # What is withheld within what gets tokens stays away.
            if container[name] is not _GONE:
                container[name] = f"{_GAP}{number}{_GAP}"
        signature = self._signature_left(event, signed, about)
        if signed and not signature:
            self._changed.add("/signature")
        self.event = {name: kept for name, value in event.items() if (kept := _left(value)) is not _GONE}
        """What every view says alike; where tokens go is a gap."""
        self.event.setdefault("data", {})
        self.event |= signature
        self.withheld = tuple(sorted(self._changed))
        self.event["withheld"] = " ".join(self.withheld)
        # Text and number of a gap in turn.
        self._parts = json.dumps(self.event, ensure_ascii=False, separators=(",", ":")).split(_GAP)

    @classmethod
    def of(
        cls, body: bytes, withhold: Sequence[tuple[str, ...]], pseudonymise: Sequence[tuple[str, ...]]
    ) -> "Redaction | None":
        """Look a message through; None where it has none of the fields."""
        event: dict[str, Any] = json.loads(body, parse_float=Numeral)
        removed = {path for pattern in withhold for path in _matches(event, pattern)}
        tokened = {path for pattern in pseudonymise for path in _matches(event, pattern)}
        if not removed and not tokened:
            return None
        if isinstance(event.get("data"), dict) and "native" in event["data"]:
            removed.add(_NATIVE)
        outermost = [path for path in removed if not _below(path, removed)]
        replaced = [path for path in tokened if path not in removed and not _below(path, removed | tokened)]
        return cls(event, sorted(outermost, key=str), sorted(replaced, key=str))

    def view(self, tokens: Tokens) -> Redacted:
        """Return the view of the recipients to whom these tokens belong."""

        def filled(parts: list[str]) -> str:
            parts = parts.copy()
            parts[1::2] = [tokens(self._tokened[int(number)][2]) for number in parts[1::2]]
            return "".join(parts)

        correlation_id = self.event.get("correlationid")
        return Redacted(
            filled(self._parts).encode(),
            filled(self.event["id"].split(_GAP)),
            None if correlation_id is None else filled(correlation_id.split(_GAP)),
            self.withheld,
        )

    def _signature_left(
        self, event: dict[str, Any], signed: dict[str, str], about: list[tuple[Path, Any]]
    ) -> dict[str, str]:
        """Return the attributes of a signature that the views may carry.

        None where it is over the whole: with it, guesses of what is withheld could be tried. Of one by field a
        disclosure stays if the view shows just its value in just its place; one of an object or a list, which
        holds digests only, stays while anything is left within. `about` is what each disclosure is about; the
        decision has checked that it is so.
        """
        disclosures = signed.get("disclosures", "").split(SEPARATOR)
        if not about or len(about) != len(disclosures) or "signature" not in signed:
            return {}
        tokened = {(id(container), name) for container, name, _ in self._tokened}

        def stays(path: Path, value: Any) -> bool:
            try:
                container = _at(event, path[:-1])
                shown = container[path[-1]]
            except TypeError:
                # Something above it is gone.
                return False
            if (id(container), path[-1]) in tokened or type(shown) is not type(value):
                return False
            return _left(shown) is not _GONE if isinstance(value, dict | list) else bool(shown == value)

        kept = [one for one, (path, value) in zip(disclosures, about, strict=True) if stays(path, value)]
        left = {"signature": signed["signature"], "digests": signed["digests"]}
        return left | ({"disclosures": SEPARATOR.join(kept)} if kept else {})

    def _replace(self, event: dict[str, Any], path: Path) -> None:
        """Have tokens stand for all values at and below a path."""
        for container, name, value in _leaves(_at(event, path[:-1]), path[-1]):
            self._tokened.append((container, name, _normal(value)))

    def _scrub_attributes(self, event: dict[str, Any], done: frozenset[Path]) -> None:
        for name, value in list(event.items()):
            if name == "data":
                self._scrub(event, name, (name,), (name,), done)
            elif name == "recipients":
                kept = [agency for agency in value.split() if not self._hunt.finds(agency)]
                if " ".join(kept) != value:
                    event[name] = " ".join(kept)
                    self._changed.add("/recipients")
            elif name not in _FIXED:
                self._scrub_attribute(event, name, value)

    def _scrub_attribute(self, event: dict[str, Any], name: str, value: Any) -> None:
        extension = name not in _KEYS and name not in _FORMED
        if extension and self._hunt.finds(name):
            # Its name says it already; to list it would say it again.
            event[name] = _GONE
            self._changed.add("/" + MARK)
        elif name in _KEYS:
            if self._hunt.finds(value):
                # A subject meets identifiers; the others name messages, of which no two may become one.
                self._tokened.append((event, name, _normal(value) if name == "subject" else value))
                self._changed.add(f"/{name}")
        elif name in _FORMED:
            if self._hunt.finds(value):
                event[name] = _GONE
                self._changed.add(f"/{name}")
        else:
            self._scrub_leaf(event, name, (name,))

    def _scrub(
        self, container: Any, name: str | int, path: Path, shape: tuple[str, ...], done: frozenset[Path]
    ) -> None:
        """Look through all that stands below a path; `shape` is the path with `*` for the places in lists."""
        if path in done:
            return
        value = container[name]
        if isinstance(value, dict):
            for inner in list(value):
                self._scrub(value, inner, (*path, inner), (*shape, inner), done)
        elif isinstance(value, list):
            for index in range(len(value)):
                self._scrub(value, index, (*path, index), (*shape, "*"), done)
        elif shape[1:] not in _CLOSED:
            self._scrub_leaf(container, name, path)

    def _scrub_leaf(self, container: Any, name: str | int, path: Path) -> None:
        value = container[name]
        if isinstance(value, bool):
            return
        if isinstance(value, str):
            spans = self._hunt.spans(value)
            if not spans:
                return
            text = marked(value, spans)
            if text is None:
                self._tokened.append((container, name, _normal(value)))
            else:
                container[name] = text
        elif self._hunt.finds(value):
            container[name] = _GONE
        else:
            return
        self._changed.add(_pointer(path))


_NATIVE: Path = ("data", "native")


# Half a surrogate pair, which no text that came as UTF-8 holds.
_GAP = "\ud800"


class _Gone:
    """Stands for what was taken out, so that everything else keeps its place until the end."""


_GONE = _Gone()


def _matches(event: Any, pattern: tuple[str, ...]) -> list[Path]:
    """Return the paths that a pattern means in this event."""
    found: list[tuple[Path, Any]] = [((), event)]
    for segment in pattern:
        further: list[tuple[Path, Any]] = []
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


def _below(path: Path, others: set[Path]) -> bool:
    return any(path[:length] in others for length in range(1, len(path)))


def _at(event: Any, path: Path) -> Any:
    for step in path:
        event = event[step]
    return event


def _leaves(container: Any, name: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Every value at a place or below it, with where it stands."""
    value = container[name]
    if isinstance(value, dict):
        for inner in value:
            yield from _leaves(value, inner)
    elif isinstance(value, list):
        for index in range(len(value)):
            yield from _leaves(value, index)
    else:
        yield container, name, value


def _values(value: Any) -> list[str | float]:
    """Every value that could be recognised again elsewhere."""
    return [leaf for _, _, leaf in _leaves([value], 0) if not isinstance(leaf, bool)]


def _normal(value: Any) -> str:
    """What a token is made of: identifiers in the form in which all sources meet, numbers in one spelling."""
    if isinstance(value, str):
        return normal_identifier(value)
    return str(value).lower() if isinstance(value, bool) else plain(value)


def _left(value: Any) -> Any:
    """Copy what is left, without lists and objects of which nothing is."""
    if isinstance(value, dict):
        named = {name: kept for name, inner in value.items() if (kept := _left(inner)) is not _GONE}
        return _GONE if value and not named else named
    if isinstance(value, list):
        listed = [kept for inner in value if (kept := _left(inner)) is not _GONE]
        return _GONE if value and not listed else listed
    return value


def _pointer(path: Path) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)
