"""Single values of Defra's documents: codes, times, numbers, and references as others write them.

Owns the form under which a CHED is joined with the declarations that refer to it. Never knows a message.
"""

import functools
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.document import Findings, Identifiers, Origin, read_time
from adapters.profile import UK, Profile
from adapters.records import Record
from schemas.codes import (
    container_warning,
    equipment_number,
    has_container_form,
    is_country,
    normal_identifier,
    ucr_warning,
)
from schemas.envelope import MAX_FAULTS
from schemas.shipment import Document as Paper
from schemas.shipment import Equipment

IPAFFS = "Defra IPAFFS"
CUSTOMS = "HMRC"
# A time before this is the zero of somebody's clock.
_FIRST_YEAR = 1990
_MRN = re.compile(r"[0-9]{2}[A-Z]{2}[A-Z0-9]{14}")
_RUN = re.compile(r"([0-9]*?)([0-9]{7})([VR]?)$")
_YEAR = re.compile(r"(?<![0-9])(20[0-9]{2})(?![0-9])")


@functools.lru_cache(maxsize=256)
def codes(profile: Profile, section: str) -> Mapping[str, Any]:
    """Return a section of Defra's codes: the profile's, and below them the United Kingdom's."""
    return {**UK.table("defra", section), **profile.table("defra", section)}


def ched_key(reference: str) -> str | None:
    """Return a CHED's reference as `GBCHDyyyy.nnnnnnn`, with V or R for a part of it; None where it has none.

    GOV.UK has declarations write it so whatever the kind of the CHED, and IPAFFS as `CHEDx.GB.yyyy.nnnnnnn`.
    As Defra's own matching does (`ImportDocumentReference`), the last seven digits count and a V or R after
    them, and what is in front does not; but the year, which Defra passes over, has to be there.
    """
    normal = normal_identifier(reference)
    match = _RUN.search(normal[-64:])
    if match is None:
        return None
    before, number, part = match.groups()
    years = _YEAR.findall(normal[-64:][: match.start()])
    if re.fullmatch(r"20[0-9]{2}", before):
        years.append(before)
    return f"GBCHD{years[-1]}.{number}{part}" if years else None


def add_ched(reference: str | None, identifiers: Identifiers) -> str | None:
    """Take a CHED's reference as it is written and as `ched_key` has it; return the latter."""
    if reference is None:
        return None
    key = ched_key(reference)
    identifiers.add("certificate", reference, IPAFFS)
    identifiers.add("certificate", key, IPAFFS)
    return key


# What an identifier holds.
MAX_REFERENCE = 256


def add_entry(reference: str | None, record: Record, identifiers: Identifiers) -> str | None:
    """Take the entry reference of a declaration; return it in its normal form, None where there is none it can be."""
    normal = normal_identifier(reference or "")
    if not normal or len(normal) > MAX_REFERENCE:
        return None
    if _MRN.fullmatch(normal) is None:
        record.warn("mrn-form", "not the form of an MRN: two digits of the year, a country code, fourteen characters")
    identifiers.add("mrn", normal, CUSTOMS)
    return normal


def add_ucr(reference: str | None, record: Record, identifiers: Identifiers) -> None:
    """Take a declaration's or master UCR; British ones also write the country in front."""
    if reference is not None:
        if ucr_warning(normal_identifier(reference)) is not None and "/" not in reference:
            record.warn("ucr-form", "not the form of a UCR: one digit of the year, a country code, the rest")
        identifiers.add("ucr", reference)


def add_container(reference: str, record: Record, identifiers: Identifiers, seals: list[str]) -> Equipment | None:
    """Take a container with its seals; it is equipment of another kind where its number says so."""
    normal = normal_identifier(reference)
    if not normal or len(normal) > 256:
        return None
    normal = equipment_number(reference)
    odd = container_warning(normal)
    if odd is not None:
        record.warn("container-number", odd)
    identifiers.add("container" if has_container_form(normal) else "equipment", normal)
    return Equipment(number=normal, seals=seals) if seals else Equipment(number=normal)


def document_of(code: str | None, reference: str, profile: Profile, identifiers: Identifiers) -> Paper:
    """Read a document that a declaration refers to; a placeholder refers to nothing."""
    kind = (code or "").upper()
    placeholder = normal_identifier(reference) in codes(profile, "placeholder")
    if kind in codes(profile, "ched-document") and not placeholder:
        add_ched(reference, identifiers)
    elif not placeholder:
        identifiers.add(codes(profile, "document").get(kind, "other"), reference)
    return Paper(type=code, id=reference) if code else Paper(id=reference)


def moment_of(record: Record, origin: Origin, *names: str) -> tuple[datetime, bool] | None:
    """Read a time: ISO 8601, or milliseconds or seconds since 1970, of the first field that has one.

    Returns:
        The moment, and whether the adapter's zone had to be assumed.
    """
    for name in names:
        given = record.text(name, limit=64)
        if given is None:
            continue
        found = _epoch(given) or read_time(given, origin.zone)
        if found is not None and found[0].year >= _FIRST_YEAR:
            return found
        record.warn("time", "neither a date-time of ISO 8601 nor a count since 1970: not carried", name)
    return None


def _epoch(given: str) -> tuple[datetime, bool] | None:
    # Defra's own reader takes what is above ten digits for milliseconds (EpochDateTimeJsonConverter).
    if re.fullmatch(r"[0-9]{9,13}", given) is None:
        return None
    number = int(given)
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
        milliseconds=number if number > 10**10 else number * 1000
    ), False


def when(record: Record | None, origin: Origin, findings: Findings, *names: str) -> tuple[datetime, bool]:
    """Read a message's time; where there is none, when it was received stands in, with a warning."""
    found = moment_of(record, origin, *names) if record is not None else None
    if found is None:
        place = record.place if record is not None else "/"
        findings.warn("missing", place, "no legible time; when it was received stands in")
    return found or (origin.received, False)


def whole(record: Record | None, *names: str, most: int = 10**9) -> int | None:
    """Read a whole number; None, with a warning, where it is none."""
    given = record.text(*names, limit=32) if record is not None else None
    if record is None or given is None:
        return None
    match = re.fullmatch(r"0*([0-9]{1,10})(?:\.0+)?", given)
    if match is None or int(match[1]) > most:
        record.warn("number", f"not a whole number up to {most}: not carried", names[0])
        return None
    return int(match[1])


def number(record: Record | None, *names: str) -> float | None:
    """Read a decimal that is not negative; None, with a warning, where it is none."""
    given = record.text(*names, limit=32) if record is not None else None
    if record is None or given is None:
        return None
    if re.fullmatch(r"[0-9]{1,15}(?:\.[0-9]{0,12})?", given) is None:
        record.warn("number", "not a decimal number: not carried", names[0])
        return None
    return float(given)


def flag(record: Record | None, *names: str) -> bool | None:
    """Read yes or no, however it is written."""
    given = (record.text(*names, limit=16) or "").lower() if record is not None else ""
    return {"true": True, "y": True, "yes": True, "1": True, "false": False, "n": False, "no": False, "0": False}.get(
        given
    )


def country(record: Record | None, *names: str) -> str | None:
    """Read a country code; a part of a country (ISO 3166-2, `GB-ENG`) is its country."""
    given = (record.text(*names) or "").upper() if record is not None else ""
    code = given[:2] if re.fullmatch(r"[A-Z]{2}-[A-Z0-9]{1,3}", given) else given
    if record is None or not code:
        return None
    if not is_country(code):
        record.warn("country", "not an ISO 3166-1 alpha-2 code: not carried", names[0])
        return None
    return code


def tariff(record: Record, *names: str) -> str | None:
    """Read a commodity code; None, with a warning, where it is none."""
    given = record.text(*names, limit=64)
    if given is None:
        return None
    digits = re.sub(r"[\s.]", "", given)
    if re.fullmatch(r"[0-9]{2,14}", digits) is None:
        record.warn("hs-form", "a commodity code has 2 to 14 digits: not carried", names[0])
        return None
    return digits


def token(text: str | None) -> str | None:
    """Return words as a token of the canonical body: `NotAcceptable` and `Not Acceptable` are `not-acceptable`."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", text or "")
    found = re.sub(r"[^a-z0-9]+", "-", parted.lower()).strip("-")[:64].strip("-")
    return found if re.match(r"[a-z]", found) else None


def enough(findings: Findings) -> bool:
    """Tell whether so many faults were found that looking further tells nobody more."""
    return len(findings.faults) >= MAX_FAULTS
