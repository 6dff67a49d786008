"""Single values of WCO elements: times, numbers, countries, texts cut to their canonical length.

Owns how a value is checked and what is warned of. Never knows which part of a document it stands in.
"""

from datetime import datetime
from decimal import Decimal, InvalidOperation

from adapters.document import Element, Findings, Origin, child, read_time, text
from schemas.codes import is_country

# The limits of the canonical fields.
MAX_TEXT = 512
MAX_COUNT = 10**9


def moment(element: Element | None, findings: Findings, origin: Origin) -> tuple[datetime, bool] | None:
    """Read a …DateTime element (format codes 102 and 304 of UNTDID 2379); None where there is none."""
    if element is None:
        return None
    value = text(element, "DateTimeString") or text(element, "DateTime") or text(element)
    if value is None:
        return None
    found = read_time(value, origin.zone)
    if found is None:
        findings.warn_at("time", element, "neither a date (format 102) nor a date-time (format 304)")
        return None
    stated = child(element, "DateTimeString")
    if stated is not None and stated.get("formatCode") not in ("102", "304"):
        findings.warn_at("format-code", stated, "formatCode is 102 or 304 (UNTDID 2379); read by its shape")
    return found


def whole(element: Element | None, findings: Findings, *, most: int = MAX_COUNT) -> int | None:
    """Read a count; None, with a warning, where it is none."""
    value = text(element)
    if element is None or value is None:
        return None
    number = decimal(element, findings)
    if number is None:
        return None
    if number != number.to_integral_value() or not 0 <= number <= most:
        findings.warn_at("number", element, f"not a whole number from 0 to {most}")
        return None
    return int(number)


def decimal(element: Element | None, findings: Findings) -> Decimal | None:
    """Read a decimal; None, with a warning, where it is none."""
    value = text(element)
    if element is None or value is None:
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or abs(number) > Decimal(10) ** 15:
        findings.warn_at("number", element, "not a decimal number of at most fifteen digits before the point")
        return None
    return number


def country(element: Element | None, findings: Findings) -> str | None:
    """Read a country code; None, with a warning, where it is no ISO 3166-1 alpha-2 code."""
    code = text(element)
    if element is None or code is None:
        return None
    code = code.upper()
    if not is_country(code):
        findings.warn_at("country", element, "not an ISO 3166-1 alpha-2 country code")
        return None
    return code


def short(value: str | None) -> str | None:
    """Cut a text to what a canonical text holds."""
    return value[:MAX_TEXT].rstrip() if value else None
