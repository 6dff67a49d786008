"""Code lists: which codes there are, so that one that is in no list is told of. Never a reason to refuse.

Owns importing lists from the files that their maintainers publish, keeping them, and looking canonical
bodies over. Lists that packages carry (ISO 3166-1, ISO 4217) are there from the start; those that change
twice a year or belong to an operator (UN/LOCODE, HS) come from files. Never fetches one.
"""

import csv
import functools
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from adapters.folder import write_whole
from schemas import Alert, Shipment
from schemas.base import rfc3339
from schemas.codes import CUSTOMS_COUNTRIES
from schemas.errors import Fault, NotFound, TranslationError
from schemas.shipment import Remark

# UN/LOCODE, the longest, is 17 MB in its three parts.
MAX_LIST_BYTES = 64 * 1024 * 1024
MAX_CODES = 1_000_000
# One body can hold a hundred thousand codes; people read the first few warnings, and fix the cause.
MAX_REMARKS = 20
# Under state_dir.
CODES_FOLDER = "codes"

_FORMS = {
    "country": (re.compile(r"[A-Z]{2}"), "ISO 3166-1 alpha-2"),
    "currency": (re.compile(r"[A-Z]{3}"), "ISO 4217"),
    "locode": (re.compile(r"[A-Z]{2}[A-Z2-9]{3}"), "UN/LOCODE"),
    "hs": (re.compile(r"[0-9]{2}(?:[0-9]{2}){0,2}"), "the Harmonized System"),
    "un-number": (re.compile(r"[0-9]{4}"), "the UN numbers of dangerous goods"),
}
NAMES = tuple(_FORMS)
# Columns that hold the code in the files that are about, and in lists of our own making.
_COLUMNS = {
    "country": ("iso3166-1-alpha-2", "countrycode", "alpha-2", "code"),
    "currency": ("alphabeticcode", "alphabetic_code", "code"),
    "hs": ("hscode", "cmdcode", "id", "code"),
    "un-number": ("un-number", "un number", "unnumber", "un", "code"),
}
# Chapters kept for national use, and the one kept for later.
_USER_HS = ("77", "98", "99")
# In a place's last three: somewhere in the country.
_SOMEWHERE = "XXX"


@dataclass(frozen=True, slots=True)
class CodeList:
    """One list."""

    name: str
    version: str
    codes: frozenset[str]
    sha256: str = ""
    """Of the file it was read from; empty where a package carries it."""
    imported: str = ""

    @property
    def title(self) -> str:
        """What it is, with its version, in words."""
        return f"{_FORMS[self.name][1]}, {self.version}"


@dataclass(frozen=True, slots=True)
class CodeLists:
    """The lists there are; one that is not there knows nothing and warns of nothing."""

    lists: Mapping[str, CodeList] = field(default_factory=dict)

    def unknown(self, name: str, code: str) -> str | None:
        """Return which list does not have this code; None where it has, or there is no such list."""
        found = self.lists.get(name)
        if found is None or code in found.codes:
            return None
        if (name == "country" and code in CUSTOMS_COUNTRIES) or (name == "locode" and code.endswith(_SOMEWHERE)):
            return None
        if name == "hs" and (code.startswith(_USER_HS) or code[:6] in found.codes):
            return None
        return found.title


@functools.cache
def built_in() -> CodeLists:
    """Return the lists that a package carries: ISO 3166-1 and ISO 4217, by pycountry from Debian's iso-codes."""
    import pycountry

    version = f"pycountry {metadata.version('pycountry')}"
    countries = frozenset(str(one.alpha_2) for one in pycountry.countries)
    currencies = frozenset(str(one.alpha_3) for one in pycountry.currencies)
    lists = (CodeList("country", version, countries), CodeList("currency", version, currencies))
    return CodeLists({one.name: one for one in lists})


def stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Return what changes whenever a kept list does."""
    files = sorted(folder.glob("*.json")) if folder.is_dir() else []
    return tuple((path.name, (stat := path.stat()).st_mtime_ns, stat.st_size) for path in files)


def kept(folder: Path) -> CodeLists:
    """Return the lists kept in a folder, with those that packages carry where it has none.

    Raises:
        TranslationError: a kept list cannot be read; the text names it.
    """
    lists = dict(built_in().lists)
    for name in NAMES:
        path = folder / f"{name}.json"
        if not path.is_file():
            continue
        try:
            content = json.loads(path.read_bytes())
            codes = frozenset(content["codes"])
            lists[name] = CodeList(name, content["version"], codes, content["sha256"], content["imported"])
        except (OSError, ValueError, KeyError, TypeError):
            text = "cannot be read as a kept list; import it again"
            raise TranslationError([Fault("unreadable", f"{folder.name}/{path.name}", text)]) from None
    return CodeLists(lists)


def import_list(name: str, source: Path, version: str, now: datetime) -> CodeList:
    """Read a list from what its maintainer publishes: a CSV or JSON file, a folder of CSV files, or a zip of them.

    Raises:
        NotFound: no list of that name, or no such file.
        TranslationError: it holds no such codes, or is too large.
    """
    if name not in _FORMS:
        raise NotFound(f"there is no list {name}; known are {', '.join(NAMES)}")
    digest = hashlib.sha256()
    codes: set[str] = set()
    total = 0
    for part, content in _parts(source):
        total += len(content)
        if total > MAX_LIST_BYTES:
            raise TranslationError([Fault("too-large", part, f"a list has at most {MAX_LIST_BYTES} bytes")])
        digest.update(content)
        codes.update(_codes(name, part, content))
    if not codes or len(codes) > MAX_CODES:
        form, title = _FORMS[name]
        text = f"{len(codes)} codes of {title} found, of the form {form.pattern}; expected 1 to {MAX_CODES}"
        raise TranslationError([Fault("no-codes", source.name, text)])
    return CodeList(name, version or _version_of(source, now), frozenset(codes), digest.hexdigest(), rfc3339(now))


def keep(found: CodeList, folder: Path) -> Path:
    """Write a list where adapters look for it; what they use meanwhile stays whole."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "list": found.name,
        "version": found.version,
        "sha256": found.sha256,
        "imported": found.imported,
        "codes": sorted(found.codes),
    }
    path = folder / f"{found.name}.json"
    write_whole(path, json.dumps(content, separators=(",", ":")).encode())
    return path


def _parts(source: Path) -> Iterator[tuple[str, bytes]]:
    try:
        if source.is_dir():
            for path in sorted(source.glob("*.csv")):
                yield path.name, _limited(path)
        elif zipfile.is_zipfile(source):
            with zipfile.ZipFile(source) as archive:
                for entry in sorted(archive.infolist(), key=lambda one: one.filename):
                    if entry.filename.lower().endswith(".csv"):
                        with archive.open(entry) as file:
                            yield entry.filename, file.read(MAX_LIST_BYTES + 1)
        else:
            yield source.name, _limited(source)
    except OSError as error:
        raise NotFound(f"{source}: {error.strerror or type(error).__name__}") from None
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise TranslationError([Fault("not-zip", source.name, str(error)[:200])]) from None


def _limited(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_LIST_BYTES + 1)


def _codes(name: str, part: str, content: bytes) -> Iterable[str]:
    form = _FORMS[name][0]
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        # UNECE's own files are Latin-1; codes are ASCII in any case.
        text = content.decode("latin-1")
    if text.lstrip()[:1] in ("{", "["):
        found = _from_json(part, text)
    elif name == "locode":
        found = _from_locode_rows(text)
    else:
        found = _from_column(_COLUMNS[name], text)
    return (code for code in found if form.fullmatch(code))


def _from_json(part: str, text: str) -> Iterator[str]:
    """Read a list of codes, or of objects with a code (UN Comtrade's reference files have `id`)."""
    try:
        content: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise TranslationError([Fault("not-json", part, "begins like JSON and is none")]) from None
    rows: Any = next((v for v in content.values() if isinstance(v, list)), []) if isinstance(content, dict) else content
    for row in rows:
        code = next((row[key] for key in ("code", "id") if key in row), "") if isinstance(row, dict) else row
        if isinstance(code, str):
            yield code.strip()


def _from_locode_rows(text: str) -> Iterator[str]:
    """Read UNECE's twelve columns (change, country, location, …), with or without a heading."""
    for row in _rows(text):
        if len(row) > 2:
            yield (row[1] + row[2]).strip().upper()


def _from_column(names: tuple[str, ...], text: str) -> Iterator[str]:
    rows = _rows(text)
    heading = [cell.strip().lower() for cell in next(rows, [])]
    column = next((heading.index(name) for name in names if name in heading), 0)
    for row in rows:
        if len(row) > column:
            yield row[column].strip()


def _rows(text: str) -> Iterator[list[str]]:
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)
    try:
        yield from csv.reader(io.StringIO(text), delimiter=separator)
    except csv.Error:
        return


def _version_of(source: Path, now: datetime) -> str:
    """The version that the file's name says, as in `loc242csv.zip` or `2024-2 UNLOCODE CodeListPart1.csv`."""
    match = re.search(r"loc(\d\d)([12])", source.name, re.IGNORECASE)
    if match:
        return f"20{match[1]}-{match[2]}"
    match = re.search(r"\b(?:19|20)\d\d(?:-\d{1,2})?\b", source.name)
    return match[0] if match else f"imported {now.astimezone(UTC).date()}"


def unknown_codes(data: Shipment | Alert, lists: CodeLists) -> list[Remark]:
    """Return a remark for each code in a body that is in no list, at its JSON pointer in the message."""
    remarks: list[Remark] = []
    known: set[tuple[str, str]] = set()

    def look(name: str, code: str | None, pointer: str) -> None:
        if code is None or (name, code) in known or len(remarks) >= MAX_REMARKS:
            return
        known.add((name, code))
        title = lists.unknown(name, code)
        if title is not None:
            remarks.append(Remark(code="unknown-code", pointer=f"/data{pointer}", detail=f"not in {title}"))

    if isinstance(data, Shipment):
        _look_shipment_over(data, look)
    elif data.place is not None:
        look("country", data.place.country, "/place/country")
        look("locode", data.place.locode, "/place/locode")
    return remarks


def _look_shipment_over(data: Shipment, look: Callable[[str, str | None, str], None]) -> None:
    if data.place is not None:
        look("country", data.place.country, "/place/country")
        look("locode", data.place.locode, "/place/locode")
    for index, party in enumerate(data.parties or ()):
        look("country", party.country, f"/parties/{index}/country")
    for index, item in enumerate(data.goods or ()):
        look("hs", item.hs[:6] if item.hs is not None else None, f"/goods/{index}/hs")
        look("country", item.origin, f"/goods/{index}/origin")
        look("un-number", item.un_number, f"/goods/{index}/un_number")
        if item.value is not None:
            look("currency", item.value.currency, f"/goods/{index}/value/currency")
