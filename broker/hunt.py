"""Hunting: finding a withheld value again wherever else a message repeats it. Pure.

Owns what counts as the same value. Case, accents, width of characters, blanks and punctuation make no difference;
a number is the same however its digits are written (12.50, 12.5, 1,250.5), a moment in whatever zone.
What a program cannot know is not hunted: a part of a value (a surname alone), another spelling or
translation, a number in words, an encoding such as base64. Nor are values of fewer than
`MIN_HUNTED_CHARACTERS` characters: they are words of code lists, and stand in half of all texts.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache

# Values shorter than this are words of code lists (a country, a mode); hunting them down elsewhere would
# destroy what the agreement shares. They are removed where the agreement names them.
MIN_HUNTED_CHARACTERS = 4
# What takes the place of a withheld value within a text that is shared.
MARK = "[withheld]"
# Only a message made to be slow asks for more comparisons. What is not looked through by then counts as found:
# its sender loses a text, and nobody else any time.
MAX_STEPS = 1_000_000
# A date is compared as a date; only what has as many characters as a date can be meant within one.
_MIN_IN_MOMENT = 8
# Few values are found faster by asking for each; many by their beginnings.
_FEW = 12
# A number beyond this has an exponent, however anybody writes it.
_MOST_DIGITS = 60

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_DIGITS = re.compile(r"[+-]?[\d.,'\s]*\d[\d.,'\s]*", re.ASCII)
_SEPARATOR = re.compile(r".*[.,]", re.DOTALL)

Span = tuple[int, int]


class Numeral(float):
    """A number with the digits by which the message spelt it."""

    literal: str

    def __new__(cls, literal: str) -> "Numeral":
        made = super().__new__(cls, literal)
        made.literal = literal
        return made


def plain(number: float) -> str:
    """Write a number in digits, without exponent and without zeros that say nothing."""
    if isinstance(number, int) and abs(number) < 10**_MOST_DIGITS:
        return str(number)
    literal = number.literal if isinstance(number, Numeral) else str(number)
    try:
        exact = Decimal(literal)
    except InvalidOperation:
        return literal
    if not exact:
        return "0"
    return f"{exact.normalize():f}" if abs(exact.adjusted()) < _MOST_DIGITS else literal


# What documents lose on their way through systems that have no accents; and the dotless i, whose capital is I.
_LOST = dict.fromkeys(range(768, 880)) | {0x131: "i"}


def _folded(character: str) -> str:
    bare = unicodedata.normalize("NFKD", character).translate(_LOST)
    return unicodedata.normalize("NFKD", bare.casefold()).translate(_LOST)


@lru_cache(maxsize=8192)
def _letters(character: str) -> str:
    """What is left of a character where only letters and digits count; marks belong to their letters."""
    return "".join(one for one in _folded(character) if unicodedata.category(one)[0] in "LNM")


@lru_cache(maxsize=8192)
def _solid(character: str) -> str:
    """What is left of a character where all counts but blanks and what cannot be seen."""
    return "".join(one for one in _folded(character) if unicodedata.category(one)[0] not in "ZC")


_ASCII_LETTERS = {code: _letters(chr(code)) for code in range(128)}
_ASCII_SOLID = {code: _solid(chr(code)) for code in range(128)}


class _Index:
    """Values in one reduced form, and how texts are reduced to it."""

    def __init__(self, reduce: Callable[[str], str], ascii_table: dict[int, str]) -> None:
        self._reduce = reduce
        self._ascii = ascii_table
        self.values: set[str] = set()
        self._by_start: dict[str, list[str]] = {}

    def reduced(self, text: str) -> str:
        return text.translate(self._ascii) if text.isascii() else "".join(map(self._reduce, text))

    def close(self) -> None:
        """Every value is in: the longest first, so that no part is taken for the whole."""
        for value in sorted(self.values, key=len, reverse=True):
            self._by_start.setdefault(value[:MIN_HUNTED_CHARACTERS], []).append(value)

    def find(self, text: str, steps: list[int]) -> list[Span]:
        """Return where values stand in a text; `steps` is what may still be spent."""
        if not self.values or len(text) < MIN_HUNTED_CHARACTERS:
            return []
        reduced = self.reduced(text)
        if len(self.values) <= _FEW and not [1 for value in self.values if value in reduced]:
            return []
        found: list[Span] = []
        for start in range(len(reduced) - MIN_HUNTED_CHARACTERS + 1):
            candidates = self._by_start.get(reduced[start : start + MIN_HUNTED_CHARACTERS])
            if candidates is None:
                continue
            for value in candidates:
                steps[0] -= 1
                if reduced.startswith(value, start):
                    found.append((start, start + len(value)))
                    break
            if steps[0] < 0:
                return [(0, len(text))]
        return self._as_written(text, found) if found else []

    def _as_written(self, text: str, found: list[Span]) -> list[Span]:
        places = [index for index, character in enumerate(text) for _ in self._reduce(character)]
        return [(places[start], places[end - 1] + 1) for start, end in found]


class Hunt:
    """The hidden values of one message, ready to be found elsewhere in it."""

    def __init__(self, hidden: Iterable[str | float]) -> None:
        self._letters = _Index(_letters, _ASCII_LETTERS)
        self._solid = _Index(_solid, _ASCII_SOLID)
        self._moments: set[datetime] = set()
        self._steps = [MAX_STEPS]
        for value in hidden:
            if isinstance(value, str):
                self._add(value)
            else:
                for text in _spelt(value):
                    self._add(text)
        self._letters.close()
        self._solid.close()

    def _add(self, value: str) -> None:
        letters, solid = self._letters.reduced(value), self._solid.reduced(value)
        # Of what is mostly punctuation, such as 12.5, the punctuation counts.
        for index, reduced in ((self._letters, letters), (self._solid, solid)):
            if len(reduced) >= MIN_HUNTED_CHARACTERS:
                index.values.add(reduced)
                break
        for digits in _significant(value):
            if len(digits) >= MIN_HUNTED_CHARACTERS:
                self._letters.values.add(digits)
        moment = _moment(value)
        if moment is not None:
            self._moments.add(moment)

    def spans(self, text: str) -> list[Span]:
        """Return where the text repeats a hidden value: in order, apart from each other, whole words."""
        if self._steps[0] < 0:
            return [(0, len(text))]
        if len(text) < MIN_HUNTED_CHARACTERS:
            return []
        if _MOMENT.fullmatch(text):
            same = _moment(text) in self._moments
            within = any(e - s >= _MIN_IN_MOMENT for s, e in self._letters.find(text, self._steps))
            return [(0, len(text))] if same or within else []
        found = self._letters.find(text, self._steps) + self._solid.find(text, self._steps)
        if self._moments:
            found += [m.span() for m in _MOMENT.finditer(text) if _moment(m[0]) in self._moments]
        return _apart([_whole_words(text, span) for span in found]) if found else []

    def finds(self, value: str | float) -> bool:
        """Tell whether a text or number repeats a hidden value."""
        return any(self.spans(text) for text in ([value] if isinstance(value, str) else _spelt(value)))


def _spelt(number: float) -> tuple[str, ...]:
    literal = number.literal if isinstance(number, Numeral) else str(number)
    shortest = plain(number)
    return (shortest,) if literal == shortest else (literal, shortest)


def _significant(value: str) -> Iterable[str]:
    """The digits of a number written as text that are left without zeros before and after."""
    if _DIGITS.fullmatch(value) is None:
        return
    separated = _SEPARATOR.match(value)
    whole = value if separated is None else separated[0]
    fraction = "" if separated is None else value[separated.end() :]
    digits = "".join(c for c in whole if c.isdigit()).lstrip("0")
    yield digits + "".join(c for c in fraction if c.isdigit()).rstrip("0")


def _moment(text: str) -> datetime | None:
    if _MOMENT.fullmatch(text) is None:
        return None
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError:
        return None


def _whole_words(text: str, span: Span) -> Span:
    """Take the rest of the word too, which would tell what is missing; scripts without blanks have none."""
    start, end = span
    while start > 0 and _joins(text[start - 1]):
        start -= 1
    while end < len(text) and _joins(text[end]):
        end += 1
    return start, end


def _joins(character: str) -> bool:
    return character.isalnum() and unicodedata.category(character) != "Lo"


def _apart(spans: list[Span]) -> list[Span]:
    result: list[Span] = []
    for start, end in sorted(spans):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((start, end))
    return result


def marked(text: str, spans: list[Span]) -> str | None:
    """Return the text with a mark in place of each span; None where nothing else would be left to read."""
    parts: list[str] = []
    last = 0
    for start, end in spans:
        parts.append(text[last:start])
        last = end
    parts.append(text[last:])
    return MARK.join(parts) if any(c.isalnum() for part in parts for c in part) else None
