"""The reason of an answer of the ICS: elements as lines of `decision.reason`, and the lines as elements again.

Owns the form of a line. An element that the canonical body has no field for is `name: text`; an error is
`type reason pointer`, with `-` for a reason that is not told; an intervention `code: text`, or either alone. Any
other line is free text. Never tells the values at fault: those are cargo data.
"""

import re
from collections.abc import Mapping
from typing import Any

from adapters.document import xml_text
from adapters.ens_group import Group, IcsMessage
from adapters.ens_structures import FORMS

# What a canonical reason holds.
MAX_REASON = 8192
# The elements of a header that have no field, by the answer in which they stand.
FACTS: dict[str, tuple[str, ...]] = {
    "CC304A": ("DatTimAmeHEA113",),
    "CC305A": ("AmeRejMotCodHEA604", "DatTimAmeHEA113"),
    "CC351A": ("DecRegDatTimHEA115", "DecSubDatTimHEA118"),
}
_NAMES = frozenset(name for told in FACTS.values() for name in told)
_TEXTS = ("DecRejReaHEA252", "AmeRejMotTexHEA605")
# Interventions that no code tells go out with the event's own word.
WORDS = ("held", "selected-for-scan", "selected-for-inspection")
_COUNT = re.compile(r"[0-9]{1,9}", re.ASCII)
_ERROR = re.compile(r"(\d{1,2}) (\S{1,6}) (\S.{0,209})", re.ASCII)
_INTERVENTION = re.compile(r"([A-Z0-9]{1,4})(?:: (\S.*))?", re.ASCII)
_TOKEN = re.compile(r"[a-z][a-z0-9-]{0,63}", re.ASCII)

# Event (without `shipment.`) and outcome, where an intervention tells them.
Told = tuple[str, str]


def facts(message: IcsMessage) -> list[str]:
    """Return the lines of the header's elements."""
    names = FACTS.get(message.name, ())
    return [f"{name}: {told}" for name in names if (told := message.header.value(name)) is not None]


def rejection(message: IcsMessage) -> list[str]:
    """Return the lines of why it was rejected."""
    lines = [_plain(told) for name in _TEXTS if (told := message.header.value(name)) is not None]
    for error in message.groups("FUNERRER1"):
        kind, reason, pointer = (error.value(name) for name in ("ErrTypER11", "ErrReaER13", "ErrPoiER12"))
        if kind is not None:
            lines.append(error_line(kind, reason, pointer))
    return lines


def _plain(text: str) -> str:
    """Return a free text as a line that is never taken for anything else."""
    return f"- {text}" if text.partition(": ")[0] in _NAMES or _ERROR.fullmatch(text) else text


def error_line(kind: str, reason: str | None, pointer: str | None) -> str:
    """Return the line of one error."""
    return f"{kind} {''.join((reason or '').split()) or '-'} {pointer or '-'}"


def interventions(message: Group, meanings: Mapping[str, Any]) -> dict[int | None, tuple[list[str], Told | None]]:
    """Return the interventions' lines, and the event that they are, by item; None is the whole consignment.

    The event's own word tells it, or else the codes if `meanings` has the same event and outcome for all of them.
    """
    lines: dict[int | None, list[str]] = {}
    words: dict[int | None, Told] = {}
    codes: dict[int | None, set[Told | None]] = {}
    for told in message.groups("CUSINT632"):
        number = told.value("IteNumConCUSINT668") or ""
        item = int(number) if _COUNT.fullmatch(number) else None
        code, text = told.value("CusIntCodCUSINT665"), told.value("CusIntTexCUSINT666")
        of_item = lines.setdefault(item, [])
        if (word := _own_word(code, text)) is not None:
            words.setdefault(item, word)
            continue
        known = meanings.get(code or "")
        event = (known["event"].removeprefix("shipment."), known["outcome"]) if known else None
        codes.setdefault(item, set()).add(event)
        if code or text:
            of_item.append(": ".join(filter(None, (code, text))) if code else _plain(text or ""))
    return {item: (of_item, words.get(item) or _only(codes.get(item))) for item, of_item in lines.items()}


def _own_word(code: str | None, text: str | None) -> Told | None:
    word, _, outcome = (text or "").partition(": ")
    return (word, outcome) if code is None and word in WORDS and _TOKEN.fullmatch(outcome) else None


def _only(events: set[Told | None] | None) -> Told | None:
    return next(iter(events)) if events is not None and len(events) == 1 else None


def joined(lines: list[str], last: list[str]) -> str:
    """Return lines as a reason; what is too much is left out, but never one of the `last`."""
    room = MAX_REASON - sum(len(line) + 1 for line in last)
    kept = []
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            break
        kept.append(line)
    return "\n".join([*kept, *last])


def taken_apart(reason: str) -> tuple[dict[str, str], list[str]]:
    """Return the elements of a header that a reason tells, and its other lines, whoever wrote it."""
    elements: dict[str, str] = {}
    lines = []
    for raw in reason.splitlines():
        line = " ".join(xml_text(raw).split())
        name, _, told = line.partition(": ")
        if name in _NAMES and told and name not in elements:
            elements[name] = told
        elif line:
            lines.append(line)
    return elements, lines


def as_errors(lines: list[str]) -> tuple[list[dict[str, str]], list[str]]:
    """Return the errors that lines are, as the elements of FUNERRER1, and the lines that are none."""
    errors, texts = [], []
    for line in lines:
        match = _ERROR.fullmatch(line)
        if match is None or FORMS["error-type"][0].fullmatch(match[1]) is None:
            texts.append(line)
            continue
        reason = {} if match[2] == "-" else {"ErrReaER13": match[2]}
        errors.append({"ErrTypER11": match[1], "ErrPoiER12": match[3]} | reason)
    return errors, texts


def as_intervention(line: str) -> dict[str, str]:
    """Return the intervention that a line is, as the elements of CUSINT632; a text without a code has an empty one."""
    match = _INTERVENTION.fullmatch(line)
    if match is None:
        plain = line if _own_word(None, line) is None else f"- {line}"
        return {"CusIntCodCUSINT665": "", "CusIntTexCUSINT666": plain}
    return {"CusIntCodCUSINT665": match[1]} | ({"CusIntTexCUSINT666": match[2]} if match[2] else {})
