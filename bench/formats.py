"""`python -m bench.formats [CORPUS]`: how fast documents are read, beside the libraries one would take for it.

Owns the contenders and the rounds. Every contender gets the same documents from memory, in turn, round by round;
a ratio is the median of the rounds' own. cbm is measured twice: as far as its own *tree* (elements, values or
segments, with every limit held), which is what a parser gives; and all the way to *messages* (recognised, read,
checked, written as bytes), which no library does: capparselib and eparsecis come nearest, with a dictionary of an
alert and objects of events, from which the mapping would have to follow.

`make bench` installs the libraries that do not go with cbm's own in `var/libraries`; without them their rows are
left out.
"""

import argparse
import importlib.util
import io
import logging
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from adapters.document import Document, Findings, Origin, parse_xml
from adapters.edifact_syntax import chunks_of, segments
from adapters.formats import FORMATS, recognise
from adapters.json_document import load
from adapters.profile import NEUTRAL
from adapters.records import parse_json
from adapters.translator import messages
from schemas.errors import CbmError

ROOT = Path(__file__).parent.parent
ORIGIN = Origin("kr.customs", datetime(2026, 1, 1, tzinfo=UTC), ZoneInfo("Asia/Seoul"))
# Enough for a steady figure; larger documents are what the memory test is about.
_DOCUMENTS, _MAX_BYTES = 60, 2_000_000
Contender = Callable[[bytes], Any]
sys.path.append(str(ROOT / "var" / "libraries"))


def tree(format_: str, content: bytes) -> Any:
    """What cbm makes of a document before it looks at its meaning."""
    kind = kind_of(content)
    if kind == "xml":
        return parse_xml(content)
    if kind == "json":
        return load(Document(content)) if format_.startswith("dcsa") else parse_json(content)
    return list(segments(chunks_of(content), Findings(), NEUTRAL.table("edifact", "charset")))


def ours(content: bytes) -> None:
    """All of cbm's way: recognise, read, build, write."""
    document = Document(content)
    translator, _ = recognise(document)
    for message in messages(translator, document, ORIGIN):
        message.to_bytes()


def xmltodict_(content: bytes) -> Any:
    """The dictionary that xmltodict makes."""
    import xmltodict

    return xmltodict.parse(content)


def objectify(content: bytes) -> Any:
    """lxml's objects, each leaf looked at once, as a mapping would."""
    from lxml import objectify as library

    tree = library.fromstring(content)
    return [(element.tag, element.pyval) for element in tree.iter() if hasattr(element, "pyval")]


def pydifact_(content: bytes) -> Any:
    """The segments that pydifact makes."""
    from pydifact.segmentcollection import RawSegmentCollection

    return [segment.elements for segment in RawSegmentCollection.from_str(content.decode("latin-1")).segments]


def json_(content: bytes) -> Any:
    """The dictionary of the standard library."""
    import json

    return json.loads(content)


def capparselib(content: bytes) -> Any:
    """The dictionaries of its alerts."""
    from capparselib.parsers import CAPParser

    return CAPParser(content.decode()).as_dict()


def eparsecis(content: bytes) -> Any:
    """The objects of its events."""
    from eparsecis.eparsecis import EPCISParser

    return EPCISParser(io.BytesIO(content)).parse()


def kind_of(content: bytes) -> str:
    """Return the syntax of a document that cbm reads."""
    start = content[:200].lstrip(b"\xef\xbb\xbf \t\r\n")
    return "xml" if start.startswith(b"<") else "json" if start.startswith((b"{", b"[")) else "edifact"


_OF_SYNTAX: dict[str, dict[str, Contender]] = {
    "xml": {"xmltodict": xmltodict_, "lxml objectify": objectify},
    "json": {"json": json_},
    "edifact": {"pydifact": pydifact_},
}
_OF_FORMAT: dict[str, dict[str, Contender]] = {
    "cap": {"capparselib": capparselib},
    "epcis-xml": {"eparsecis": eparsecis},
}


def contenders(format_: str, kind: str) -> dict[str, Contender]:
    """Return what one would take for documents of this format in this syntax."""
    return {**_OF_SYNTAX[kind], **{name: one for name, one in _OF_FORMAT.get(format_, {}).items() if installed(name)}}


def installed(library: str) -> bool:
    """Tell whether a library is there."""
    return importlib.util.find_spec(library) is not None


def gather(folders: list[Path]) -> dict[tuple[str, str], list[bytes]]:
    """Return documents that cbm reads, by format and syntax."""
    found: dict[tuple[str, str], list[bytes]] = {}
    for path in sorted(p for folder in folders for p in folder.rglob("*") if p.is_file()):
        if not 0 < path.stat().st_size <= _MAX_BYTES:
            continue
        document = Document(path.read_bytes())
        try:
            translator, _ = recognise(document)
            if not messages(translator, document, ORIGIN):
                continue
        except CbmError:
            continue
        group = found.setdefault((translator.name, kind_of(document.content)), [])
        if len(group) < _DOCUMENTS:
            group.append(document.content)
    return found


def timed(contender: Contender, documents: list[bytes]) -> tuple[float, int]:
    """Return the processor seconds for all documents, and how many the contender could not read."""
    failed = 0
    began = time.process_time()
    for content in documents:
        try:
            contender(content)
        except Exception:
            failed += 1
    return time.process_time() - began, failed


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, help="further documents, such as the corpus")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    # Each library says a good deal about what it does not know.
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    print(
        "| format | syntax | documents | kB | tree: ms a document | messages: ms | beside | its ms "
        "| tree takes of it | messages take of it | it cannot read |"
    )
    print("|---|---|---:|---:|---:|---:|---|---:|---:|---:|---:|")
    for (format_, kind), documents in sorted(gather([ROOT / "examples", *options.folders]).items()):
        assert FORMATS[format_].can_read
        for line in rows(format_, kind, documents, options.rounds):
            print(line, flush=True)


def rows(format_: str, kind: str, documents: list[bytes], rounds: int) -> Iterator[str]:
    """Measure the documents of one format, and yield a line of the table for each library.

    Both read those that the library can read: giving up at the first line takes no time.
    """
    for other, contender in contenders(format_, kind).items():
        legible = [content for content in documents if timed(contender, [content])[1] == 0]
        cells: list[Any] = [f"`{format_}`", kind, len(documents), f"{sum(map(len, documents)) / 1000:.0f}"]
        if not legible:
            yield "| " + " | ".join(map(str, [*cells, "", "", other, "", "", "", len(documents)])) + " |"
            continue
        contest: dict[str, Contender] = {"tree": partial(tree, format_), "messages": ours, other: contender}
        seconds: dict[str, list[float]] = {name: [] for name in contest}
        for _ in range(rounds + 1):
            for name, one in contest.items():
                seconds[name].append(timed(one, legible)[0])
        # The first round loads what is loaded at first use.
        measured = {name: took[1:] for name, took in seconds.items()}
        ms = {name: f"{statistics.median(took) / len(legible) * 1000:.2f}" for name, took in measured.items()}
        of_it = [
            f"{statistics.median(a / b for a, b in zip(measured[name], measured[other], strict=True)):.2f}"
            for name in ("tree", "messages")
        ]
        cells += [ms["tree"], ms["messages"], other, ms[other], *of_it, len(documents) - len(legible) or ""]
        yield "| " + " | ".join(map(str, cells)) + " |"


if __name__ == "__main__":
    main()
