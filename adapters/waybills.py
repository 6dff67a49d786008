"""Air waybill numbers as IATA writes them, so that a waybill meets itself whatever format names it.

Owns their form. Never judges a check digit: real numbers break it.
"""

import re

# UNTDID 1001: air waybill, master air waybill. A house waybill (703) has whatever number its forwarder gives it.
_KINDS = ("740", "741")
_NUMBER = re.compile(r"([0-9]{3})-?([0-9]{8})")


def air_waybill(number: str, kind: str = "740") -> str:
    """Return `ppp-nnnnnnnn`, with or without dash and blanks before; any other number, or kind of document, as it is.

    Before the UNTDID 1001 code in `kind` may stand the EU's `N`.
    """
    if kind.removeprefix("N") not in _KINDS:
        return number
    match = _NUMBER.fullmatch("".join(number.split()))
    return f"{match[1]}-{match[2]}" if match is not None else number
