"""How far the check of entry summary declarations agrees with the error numbers that HMRC expects.

`python tests/corpus/ens_oracle.py CORPUS` prints the table. Expectations are HMRC's own: the control file
(.ctl) beside a test document, and where there is none the remarks inside the document.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from adapters.document import Document
from adapters.ens_check import check
from adapters.profile import UK, Profile

_ERROR = "{http://www.govtalk.gov.uk/CM/errorresponse}"
_REMARK = re.compile(r"should cause an error \(code: *(\d+)\)")
_PLACE = re.compile(r" \(line \d+\)|\w+:|\[1\]")
# What HMRC asked before it made some fields optional: the sets of test documents without `New` in their name.
FORMER = Profile(
    "uk-former", "United Kingdom, before fields were made optional", "1", UK,
    {
        "ens": {
            "rule": {
                "nationality-needed": "C024", "packages-total-needed": "C582", "packages-total-alone": "C582",
                "packages-total": "R105",
            },
            "number": {
                "nationality-needed": "8108", "packages-total-needed": "8109", "packages-total-alone": "8116",
                "packages-total": "8117", "items-total-needed": "missing",
            },
        }
    },
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One test document: what HMRC expects, and what our check found."""

    path: Path
    by_control_file: bool
    schema_invalid: bool
    expected: Counter[tuple[str, str]]
    """(number, place) of each business error; the place is empty where only remarks tell."""
    found: Counter[tuple[str, str]]
    malformed: bool

    @property
    def agrees(self) -> bool:
        """Whether form, numbers and (with a control file) places are those expected."""
        if self.schema_invalid or self.malformed or "schemaTestCases" in self.path.parent.name:
            return self.schema_invalid == self.malformed
        if self.by_control_file:
            return self.expected == self.found
        return numbers(self.expected) == numbers(self.found)


def rules_of(folder: str) -> Profile:
    """Return the rules by which a set of test documents is judged."""
    return FORMER if folder.endswith(("313", "315")) else UK


def numbers(errors: Counter[tuple[str, str]]) -> Counter[str]:
    """Count errors by number, wherever they stand."""
    counted: Counter[str] = Counter()
    for (number, _), times in errors.items():
        counted[number] += times
    return counted


def cases(corpus: Path) -> Iterator[Case]:
    """Measure every test document of the corpus."""
    for path in sorted((corpus / "ics-ens").rglob("*TestCases*/*.xml")):
        content = path.read_bytes()
        faults = check(Document(content), rules_of(path.parent.name))
        malformed = any(not fault.code[4:].isdigit() and not _is_rule(fault.code) for fault in faults)
        found = Counter(
            (fault.code.removeprefix("ens-"), _PLACE.sub("", fault.pointer)) for fault in faults if not malformed
        )
        control = path.with_suffix(".ctl")
        if control.exists():
            errors = etree.parse(control).getroot().findall(_ERROR + "Error")
            expected = Counter(
                (number.strip(), _PLACE.sub("", error.findtext(_ERROR + "Location") or ""))
                for error in errors
                if (number := error.findtext(_ERROR + "Number"))
            )
            invalid = len(errors) > expected.total()
        else:
            text = content.decode()
            expected = Counter((number, "") for number in _REMARK.findall(text))
            invalid = re.search(r"Expected result\s*: Schema invalid", text) is not None
        yield Case(path, control.exists(), invalid, expected, found, malformed)


def _is_rule(code: str) -> bool:
    return re.fullmatch(r"ens-(\d+|[cr]\d+)", code) is not None


def report(corpus: Path) -> str:
    """Return the table of agreement as Markdown, and the cases that differ."""
    measured = list(cases(corpus))
    lines = [
        "| expectation | documents | agree | numbers expected | found | missed | extra |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for by_control_file, title in ((True, "control file"), (False, "remarks in the document")):
        for schema, kind in ((True, "schema"), (False, "rules")):
            those = [
                c for c in measured
                if c.by_control_file == by_control_file and schema == ("schemaTestCases" in c.path.parent.name)
            ]  # fmt: skip
            expected = sum((numbers(c.expected) for c in those), Counter())
            hit = sum((numbers(c.expected) & numbers(c.found) for c in those), Counter())
            extra = 0 if schema else sum((numbers(c.found) - numbers(c.expected) for c in those), Counter()).total()
            lines.append(
                f"| {title}, {kind} | {len(those)} | {sum(c.agrees for c in those)} | {expected.total()} "
                f"| {hit.total()} | {expected.total() - hit.total()} | {extra} |"
            )
    for case in measured:
        if not case.agrees:
            missed, extra_ = case.expected - case.found, case.found - case.expected
            lines.append(f"\n{case.path.parent.name}/{case.path.name}: schema-invalid expected {case.schema_invalid}, "
                         f"found {case.malformed}; missed {dict(missed)}; extra {dict(extra_)}")  # fmt: skip
    return "\n".join(lines)


if __name__ == "__main__":
    print(report(Path(sys.argv[1])))
