"""`python -m adapters.survey CORPUS`: how the translators do on a folder of real documents.

Owns the counting and the tables of docs/FORMATS.md. Every translator is run on every file; anything but a
`TranslationError` is a crash and fails the command. Never repeats what a document says: reasons are told
by code and rule.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from adapters.coverage import carried, fields_of, values_of
from adapters.document import Document, Origin
from adapters.formats import FORMATS, recognise
from adapters.profile import NEUTRAL
from adapters.translator import Streaming, Translator, messages
from schemas import Message
from schemas.errors import TranslationError

CORPORA = (
    "wco-data-model", "sps-ephyto", "cap", "ics-ens", "ncts", "uk-border-defra", "dcsa", "epcis", "n42",
    "iata-one-record", "edifact",
)  # fmt: skip
# The generated parts of the page, between comments of these names.
SURVEY, REGISTRY = "survey", "registry"
# The code tables of a format, where its name does not begin with theirs.
_FAMILIES = {"inventory-linking": "wco", "iata-one-record": "onerecord"}
# Where and when a document is read changes no count.
_ORIGIN = Origin("kr.customs", datetime(2026, 1, 1, tzinfo=UTC), ZoneInfo("Asia/Seoul"))
# The rule behind a code, in words that hold for every document.
_RULES = {
    "not-well-formed": "not well-formed XML",
    "document-type": "a document type declaration, which can carry entities",
    "no-identifier": "nothing in it tells which consignment it is about",
    "no-reference": "names no movement, and no other reference",
    "no-alert": "a feed or wrapper with neither an alert nor a link to one",
    "link-only": "a feed whose entries only link to alerts; nothing is fetched",
    "empty-feed": "a feed without entries",
    "no-conveyance": "neither a conveyance nor where it calls is told",
    "no-content": "tells that something changed and does not hold it",
    "empty": "says nothing about any goods",
    "no-shipment": "an instrument's file without an alarm, an item or a passage through a portal",
    "no-event": "describes a thing, or asks for one, or lists nothing: nothing happened to a shipment",
    "notification": "only links to an event, or is about something that is no shipment",
    "missing": "something that the standard requires is missing",
    "action": "an action that is none of ADD, OBSERVE, DELETE",
    "biz-step": "a word that the Core Business Vocabulary does not have",
    "disposition": "a word that the Core Business Vocabulary does not have",
    "source-type": "a word that the Core Business Vocabulary does not have",
    "event-type": "an event of a type that the standard does not have",
    "time": "a time that is no date-time of RFC 3339",
    "order": "elements in another order than the schema's",
    "unknown-element": "an element without a namespace that the schema does not have",
    "no-words": "nothing in it that an event of the canonical body has a word for",
    "unknown-member": "a member that the schema does not have",
    "no-measurement": "nothing in it was measured",
    "no-instrument": "names neither item, passage, measurement nor instrument",
    "structure": "not the structure that its standard gives it",
}


@dataclass
class Row:
    """What became of the documents of one format in one corpus."""

    documents: int = 0
    read: int = 0
    messages: int = 0
    seconds: float = 0.0
    refused: Counter[tuple[str, ...]] = field(default_factory=Counter)
    """How many documents were refused, by the codes of all their faults."""
    values: int = 0
    """Different values in the documents that were read, summed over them."""
    carried: int = 0
    """How many of those stand in the messages."""
    fields: int = 0
    """Fields that the messages fill, summed over them."""

    @property
    def unexplained(self) -> int:
        """How many were refused for a reason that `_RULES` does not hold to be right."""
        return sum(count for codes, count in self.refused.items() if not _RULES.keys() >= set(codes))

    def add(self, values: set[str], made: list[Message]) -> None:
        """Count a document that was read."""
        self.read += 1
        self.messages += len(made)
        self.values += len(values)
        self.carried += carried(values, made)
        self.fields += sum(len(fields_of(message)) for message in made)


@dataclass
class Survey:
    """The rows by corpus and format; the files of no format that is read, by corpus and suffix; the crashes."""

    rows: dict[tuple[str, str], Row] = field(default_factory=dict)
    others: dict[str, Counter[str]] = field(default_factory=dict)
    crashes: list[str] = field(default_factory=list)


def survey(folder: Path, corpora: tuple[str, ...] = CORPORA) -> Survey:
    """Run every translator over every file of these corpora."""
    found = Survey()
    for corpus in corpora:
        found.others[corpus] = Counter()
        for path in sorted((folder / corpus).rglob("*")):
            if path.is_file():
                _file(found, corpus, path, folder)
    return found


def _file(found: Survey, corpus: str, path: Path, folder: Path) -> None:
    content = path.read_bytes()
    chosen: Translator | None = None
    try:
        chosen, _ = recognise(Document(content))
    except TranslationError:
        found.others[corpus][path.suffix.lower() or path.name] += 1
    except Exception as error:
        found.crashes.append(f"{path.relative_to(folder)}: recognise: {type(error).__name__}")
    for translator in FORMATS.values():
        if not translator.can_read:
            continue
        row = found.rows.setdefault((corpus, translator.name), Row()) if translator is chosen else Row()
        started = time.perf_counter()
        row.documents += 1
        made: list[Message] = []
        try:
            made = messages(translator, Document(content), _ORIGIN)
        except TranslationError as error:
            row.refused[tuple(sorted({fault.code for fault in error.faults}))] += 1
        except Exception as error:
            found.crashes.append(f"{path.relative_to(folder)}: {translator.name}: {type(error).__name__}")
        row.seconds += time.perf_counter() - started
        if made and translator is chosen:
            row.add(values_of(Document(content)), made)


def tables(found: Survey) -> str:
    """Write the survey as Markdown; the seconds stand in the last column of the first table."""
    return "\n".join([*_formats(found), "", *_refused(found), "", *_others(found)])


def registry() -> str:
    """Write the formats there are as a Markdown table: which way, within which limit, by which table of codes."""
    lines = ["| format | what it is | read | written | bytes at most | codes |", "|---|---|---|---|---|---|"]
    for name, translator in FORMATS.items():
        limit = "stream_bytes" if isinstance(translator, Streaming) else "document_bytes"
        family = next((f for f in sorted(NEUTRAL.known_families()) if f == _FAMILIES.get(name, name.split("-")[0])), "")
        cells = [
            f"`{name}`",
            translator.title,
            *("yes" if way else "" for way in (translator.can_read, translator.can_write)),
        ]
        cells += [f"`{limit}`" if translator.can_read else "", f"`{family}.toml`" if family else ""]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _formats(found: Survey) -> Iterator[str]:
    yield (
        "| corpus | format | documents | read | refused rightly | wrongly | messages | fields a message "
        "| values carried | seconds |"
    )
    yield "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|"
    for (corpus, name), row in sorted(found.rows.items()):
        refused = sum(row.refused.values())
        fields = f"{row.fields / row.messages:.1f}" if row.messages else ""
        share = f"{100 * row.carried / row.values:.0f} %" if row.values else ""
        yield (
            f"| {corpus} | `{name}` | {row.documents} | {row.read} | {refused - row.unexplained} | {row.unexplained} "
            f"| {row.messages} | {fields} | {share} | {row.seconds:.1f} |"
        )


def _refused(found: Survey) -> Iterator[str]:
    yield "| refused in | format | documents | code | rule |"
    yield "|---|---|---:|---|---|"
    for (corpus, name), row in sorted(found.rows.items()):
        for codes, count in sorted(row.refused.items()):
            rules = "; ".join(dict.fromkeys(_RULES.get(code, "see the format's section") for code in codes))
            yield f"| {corpus} | `{name}` | {count} | {', '.join(f'`{code}`' for code in codes)} | {rules} |"


def _others(found: Survey) -> Iterator[str]:
    yield "| corpus | files of no format that is read, by suffix |"
    yield "|---|---|"
    for corpus, counts in sorted(found.others.items()):
        yield f"| {corpus} | {', '.join(f'{count} {suffix}' for suffix, count in sorted(counts.items())) or 'none'} |"


def between_markers(text: str, part: str) -> str:
    """Return what stands between the markers of a generated part of a page."""
    return text.partition(f"<!-- {part}:begin -->")[2].partition(f"<!-- {part}:end -->")[0].strip()


def with_part(text: str, part: str, content: str) -> str:
    """Return the page with the content between the markers of that part replaced."""
    begin, end = f"<!-- {part}:begin -->", f"<!-- {part}:end -->"
    before, begins, rest = text.partition(begin)
    _, ends, after = rest.partition(end)
    if not begins or not ends:
        raise ValueError(f"the page has no {begin} … {end}")
    return f"{before}{begin}\n{content}\n{end}{after}"


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 1 where a translator crashed or nothing was there to read."""
    parser = argparse.ArgumentParser(prog="python -m adapters.survey", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("corpus", type=Path, help=f"the folder that holds {', '.join(CORPORA)}")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="replace the tables between the page's markers")
    given = parser.parse_args(arguments)
    found = survey(given.corpus)
    content = tables(found)
    if given.write is None:
        sys.stdout.write(content + "\n")
    else:
        page = with_part(given.write.read_text(), SURVEY, content)
        given.write.write_text(with_part(page, REGISTRY, registry()))
    for crash in found.crashes:
        sys.stderr.write(f"crash: {crash}\n")
    return 1 if found.crashes or not found.rows else 0


if __name__ == "__main__":
    raise SystemExit(main())
