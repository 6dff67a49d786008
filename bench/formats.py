"""`python -m bench.formats [CORPUS]`: how fast documents are read, beside the library one would take for it.

Owns the contenders and the rounds. Every contender gets the same documents from memory, in turn, round by round;
the ratio is the median of the rounds' own. cbm goes all the way: recognised, read, checked, made into messages as
bytes. The library only makes its own tree or dictionary, from which the mapping would have to follow.
"""

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from adapters.document import Document, Origin
from adapters.formats import FORMATS, recognise
from adapters.translator import messages
from schemas.errors import CbmError

ROOT = Path(__file__).parent.parent
ORIGIN = Origin("kr.customs", datetime(2026, 1, 1, tzinfo=UTC), ZoneInfo("Asia/Seoul"))
# Enough for a steady figure; larger documents are what the memory test is about.
_DOCUMENTS, _MAX_BYTES = 60, 2_000_000
Contender = Callable[[bytes], Any]


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


def contenders(content: bytes) -> dict[str, Contender]:
    """Return what one would take for a document of this kind."""
    start = content[:200].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"<"):
        return {"xmltodict": xmltodict_, "lxml objectify": objectify}
    if start.startswith((b"{", b"[")):
        return {"json": json_}
    return {"pydifact": pydifact_}


def gather(folders: list[Path]) -> dict[str, list[bytes]]:
    """Return documents that cbm reads, by format and kind."""
    found: dict[str, list[bytes]] = {}
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
        kind = next(iter(contenders(document.content)))
        group = found.setdefault(f"{translator.name}|{kind}", [])
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
    print(
        "| format | documents | kB | cbm: ms a document | MB/s | beside | its ms | cbm takes of it | it cannot read |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for name, documents in sorted(gather([ROOT / "examples", *options.folders]).items()):
        format_ = name.partition("|")[0]
        size = sum(map(len, documents))
        assert FORMATS[format_].can_read
        for other, contender in contenders(documents[0]).items():
            mine, theirs, failed = [], [], 0
            for _ in range(options.rounds + 1):
                mine.append(timed(ours, documents)[0])
                seconds, failed = timed(contender, documents)
                theirs.append(seconds)
            # The first round loads what is loaded at first use.
            ratio = statistics.median(m / t for m, t in zip(mine[1:], theirs[1:], strict=True))
            a, b = statistics.median(mine[1:]), statistics.median(theirs[1:])
            count = len(documents)
            cells = [f"`{format_}`", count, f"{size / 1000:.0f}", f"{a / count * 1000:.2f}", f"{size / a / 1e6:.1f}"]
            cells += [other, f"{b / count * 1000:.2f}", f"{ratio:.2f}", failed or ""]
            print("| " + " | ".join(map(str, cells)) + " |", flush=True)


if __name__ == "__main__":
    main()
