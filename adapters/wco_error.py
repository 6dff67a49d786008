"""The errors of a response (WCO 53A) as lines of text, and the lines as errors again.

Owns the form `CODE at 42A/67A/68A[1].145: description`: validation code (377), pointers of section (375),
number (006) and tag (381), description (488). Never knows what a code means.
"""

import re
from dataclasses import dataclass

from adapters.document import Element, children, text

# A code that is told from a word by a digit in it, at most eight characters; a pointer's three parts.
_LINE = re.compile(r"(?P<code>(?=[A-Za-z]*[0-9])[A-Za-z0-9]{1,8}|-)(?: at (?P<place>\S+?))?(?:: (?P<text>\S.*))?")
_STEP = re.compile(r"([A-Z0-9]{1,3})?(?:\[([0-9]{1,5})\])?(?:\.([A-Z0-9]{1,4}))?")

Step = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class ErrorLine:
    """One error; each step is (section, number, tag), any of them empty."""

    code: str
    steps: tuple[Step, ...]
    description: str

    @classmethod
    def of(cls, error: Element) -> "ErrorLine":
        """Take an Error element apart."""
        steps = []
        for pointer in children(error, "Pointer"):
            names = ("DocumentSectionCode", "SequenceNumeric", "TagID")
            section, number, tag = (text(pointer, name) or "" for name in names)
            steps.append((section, number, tag))
        return cls(
            text(error, "ValidationCode") or "",
            tuple(step for step in steps if any(step)),
            text(error, "Description") or "",
        )

    @classmethod
    def parse(cls, line: str) -> "ErrorLine | None":
        """Read a line that `str` wrote; None for any other, which is then a description."""
        match = _LINE.fullmatch(line)
        if match is None:
            return None
        steps = []
        for part in (match["place"] or "").split("/") if match["place"] else ():
            step = _STEP.fullmatch(part)
            if step is None:
                return None
            steps.append((step[1] or "", step[2] or "", step[3] or ""))
        found = cls(match["code"].removeprefix("-"), tuple(steps), match["text"] or "")
        return found if str(found) == line and all(any(step) for step in steps) else None

    def __str__(self) -> str:
        if not self.code and not self.steps:
            return self.description
        place = "/".join(
            section + (f"[{number}]" if number else "") + (f".{tag}" if tag else "")
            for section, number, tag in self.steps
        )
        return (
            (self.code or "-")
            + (f" at {place}" if place else "")
            + (f": {self.description}" if self.description else "")
        )
