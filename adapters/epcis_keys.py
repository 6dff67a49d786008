"""GS1 keys: EPC URNs (EPC Tag Data Standard 2.0, clause 6) and GS1 Digital Link URIs, read into one form.

Owns that `urn:epc:id:sscc:0614141.1234567890` and `https://id.gs1.org/00/106141412345678908` are the same
key, and how a key is written as a Digital Link. A URN says where the company prefix ends, a Digital Link does
not; so Digital Links are written, and URNs only for what has no Digital Link (container and vessel numbers).
"""

import functools
import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

from schemas.codes import normal_identifier

DIGITAL_LINK = "https://id.gs1.org"
MAX_URI = 512


@dataclass(frozen=True, slots=True)
class Key:
    """A key: its kind (`sscc`, `sgtin`, `bic`, … or `uri` where it is none of GS1's) and its value.

    The value is as it stands on labels: the digits with the check digit; where it takes several application
    identifiers, in the form with parentheses: `(01)09521141012345(21)2017`.
    """

    kind: str
    value: str
    sound: bool = True
    """Whether its check digit is right."""

    @property
    def of_class(self) -> bool:
        """Whether it names a kind or batch of goods and no single thing."""
        return self.kind in ("gtin", "lgtin")

    @property
    def of_place(self) -> bool:
        """Whether it names a place or party."""
        return self.kind in ("sgln", "pgln")


def check_digit(digits: str) -> str:
    """Return GS1's check digit (General Specifications, 7.9) for digits without it."""
    codes = digits.encode("ascii")
    # Of bytes, whose sum Python takes at once; 48 is the code of 0.
    total = 3 * sum(codes[-1::-2]) + sum(codes[-2::-2]) - 48 * (3 * (len(codes) + 1 >> 1) + (len(codes) >> 1))
    return str(-total % 10)


# kind: digits of company prefix and reference together (the check digit aside), whether the first digit of the
# reference stands before the prefix, and whether a serial follows.
_NUMERIC = {
    "sscc": (17, True, False), "sgtin": (13, True, True), "lgtin": (13, True, True), "sgln": (12, False, True),
    "pgln": (12, False, False), "grai": (12, False, True), "gdti": (12, False, True), "sgcn": (12, False, True),
    "gsrn": (17, False, False), "gsrnp": (17, False, False), "gsin": (16, False, False), "upui": (13, True, True),
    "itip": (13, True, True),
}  # fmt: skip
_URN = re.compile(r"urn:epc:(id|class|idpat):([a-z]+):(\S+)", re.IGNORECASE)


# The same keys come again from event to event of a capture; an entry takes less than a kilobyte.
@functools.lru_cache(maxsize=4096)
def read_key(uri: str) -> Key:
    """Read any URI; what is no key of GS1 is a key of kind `uri` with the URI as its value."""
    text = uri.strip()
    urn = _URN.fullmatch(text)
    found = _from_urn(urn[2].lower(), urn[3]) if urn else _from_link(text)
    return found or Key("uri", text)


def _from_urn(kind: str, rest: str) -> Key | None:
    parts = rest.split(".")
    if "%" in rest:
        parts = [unquote(part) for part in parts]
    if kind == "bic":
        return Key(kind, rest.upper()) if re.fullmatch(r"[A-Z]{3}[UJZR][0-9]{7}", rest, re.IGNORECASE) else None
    if kind == "imovn":
        return Key(kind, rest) if re.fullmatch(r"[0-9]{7}", rest, re.ASCII) else None
    if kind in ("giai", "ginc") and len(parts) >= 2 and parts[0].isdigit():
        return Key(kind, "".join([parts[0], ".".join(parts[1:])]))
    if kind == "cpi" and len(parts) >= 3 and parts[0].isdigit():
        return Key(kind, f"(8010){parts[0]}{parts[1]}(8011){'.'.join(parts[2:])}")
    if kind not in _NUMERIC or len(parts) < 2:
        return None
    length, leading, serial = _NUMERIC[kind]
    digits = parts[1][:1] + parts[0] + parts[1][1:] if leading else parts[0] + parts[1]
    if len(digits) != length or not (digits.isascii() and digits.isdigit()) or (len(parts) < 3) is serial:
        return None
    tail = ".".join(parts[2:])
    if serial and not tail:
        return None
    return _assembled(kind, digits + check_digit(digits), parts[2:], tail)


def _assembled(kind: str, number: str, parts: list[str], tail: str) -> Key | None:
    if tail == "*":
        return Key("gtin", f"(01){number}") if kind in ("sgtin", "lgtin") else None
    if kind == "itip":
        if len(parts) < 3:
            return None
        return Key(kind, f"(8006){number}{parts[0]}{parts[1]}(21){'.'.join(parts[2:])}")
    shapes = {
        "sgtin": f"(01){number}(21){tail}",
        "lgtin": f"(01){number}(10){tail}",
        "upui": f"(01){number}(235){tail}",
        "sgln": number if tail == "0" else f"{number}/{tail}",
        "grai": f"0{number}{tail}",
    }
    return Key(kind, shapes.get(kind, number + tail))


# Primary keys of GS1 Digital Link 1.1.3, 4.3, and the form of their values.
_LINKS: dict[str, tuple[str, re.Pattern[str]]] = {
    "00": ("sscc", re.compile(r"[0-9]{18}")),
    "01": ("gtin", re.compile(r"[0-9]{8}|[0-9]{12,14}")),
    "253": ("gdti", re.compile(r"[0-9]{13}.{0,17}")),
    "255": ("sgcn", re.compile(r"[0-9]{13}[0-9]{0,12}")),
    "401": ("ginc", re.compile(r".{1,30}")),
    "402": ("gsin", re.compile(r"[0-9]{17}")),
    "414": ("sgln", re.compile(r"[0-9]{13}")),
    "417": ("pgln", re.compile(r"[0-9]{13}")),
    "8003": ("grai", re.compile(r"0?[0-9]{13}.{0,16}")),
    "8004": ("giai", re.compile(r"[0-9]{4}.{0,26}")),
    "8006": ("itip", re.compile(r"[0-9]{18}")),
    "8010": ("cpi", re.compile(r"[0-9]{4}.{0,26}")),
    "8017": ("gsrnp", re.compile(r"[0-9]{18}")),
    "8018": ("gsrn", re.compile(r"[0-9]{18}")),
}
# The same in letters, as the first versions of Digital Link allowed (1.1, 4.2).
_NAMES = {
    "sscc": "00", "gtin": "01", "lot": "10", "ser": "21", "gdti": "253", "glnx": "254", "gcn": "255", "ginc": "401",
    "gsin": "402", "gln": "414", "party": "417", "grai": "8003", "giai": "8004", "itip": "8006", "cpid": "8010",
    "cpsn": "8011", "gsrnp": "8017", "gsrn": "8018",
}  # fmt: skip
_QUALIFIERS = {"21": "sgtin", "10": "lgtin", "235": "upui"}


_PATH = re.compile(r"https?://[^/?#]*/([^?#]*)", re.IGNORECASE)


def _from_link(text: str) -> Key | None:
    found = _PATH.match(text)
    if found is None or len(text) > MAX_URI:
        return None
    parts = found[1].split("/")
    if "%" in text:
        parts = [unquote(part) for part in parts]
    for place in range(len(parts) - 1):
        kind, form = _LINKS.get(_NAMES.get(parts[place], parts[place]), ("", None))
        if form is not None and form.fullmatch(parts[place + 1]):
            names = (_NAMES.get(name, name) for name in parts[place + 2 :: 2])
            return _linked(kind, parts[place + 1], dict(zip(names, parts[place + 3 :: 2], strict=False)))
    return None


# How many digits the key has, the last of them its check digit.
_CHECKED = {"sscc": 18, "gsin": 17, "gsrn": 18, "gsrnp": 18, "sgln": 13, "pgln": 13, "gdti": 13, "sgcn": 13}


def _linked(kind: str, value: str, more: dict[str, str]) -> Key:
    if kind == "gtin":
        value = value.zfill(14)
        sound = check_digit(value[:-1]) == value[-1]
        for ai, name in _QUALIFIERS.items():
            if more.get(ai):
                return Key(name, f"(01){value}({ai}){more[ai]}", sound)
        return Key(kind, f"(01){value}", sound)
    if kind == "itip":
        return Key(kind, f"(8006){value}(21){more['21']}") if more.get("21") else Key(kind, f"(8006){value}")
    if kind == "cpi":
        return Key(kind, f"(8010){value}(8011){more['8011']}") if more.get("8011") else Key(kind, f"(8010){value}")
    if kind == "sgln" and more.get("254"):
        return Key(kind, f"{value}/{more['254']}", check_digit(value[:12]) == value[12])
    if kind == "grai":
        value = value if len(value) >= 14 and value[0] == "0" else f"0{value}"
        return Key(kind, value, check_digit(value[1:13]) == value[13])
    checked = _CHECKED.get(kind)
    return Key(kind, value, checked is None or check_digit(value[: checked - 1]) == value[checked - 1])


_PARENTHESES = re.compile(r"\(([0-9]{2,4})\)")
_AI = {name: ai for ai, (name, _) in _LINKS.items()}


def write_key(kind: str, value: str) -> str | None:
    """Write a key as a URI: a Digital Link, or a URN for containers and vessels; None for what is no such key.

    What comes out is read as the same key again, or it is not written.
    """
    if kind in ("bic", "imovn"):
        uri = f"urn:epc:id:{kind}:{value}"
    elif value.startswith("("):
        parts = _PARENTHESES.split(value)[1:]
        uri = DIGITAL_LINK + "".join(
            f"/{ai}/{_escaped(data)}" for ai, data in zip(parts[::2], parts[1::2], strict=True)
        )
    elif kind in ("sgln", "pgln"):
        number, _, extension = value.partition("/")
        uri = f"{DIGITAL_LINK}/{_AI[kind]}/{number}" + (f"/254/{_escaped(extension)}" if extension else "")
    elif kind in _AI:
        uri = f"{DIGITAL_LINK}/{_AI[kind]}/{_escaped(value)}"
    else:
        return None
    again = read_key(uri)
    return uri if (again.kind, again.value) == (kind, value) and len(uri) <= MAX_URI else None


# Values that come back as they are whatever is escaped: most of those in use.
_PLAIN = {
    "sscc": re.compile(r"[0-9]{18}"),
    "sgtin": re.compile(r"\(01\)[0-9]{14}\(21\)[0-9A-Z]{1,20}"),
    "sgln": re.compile(r"[0-9]{13}"),
    "pgln": re.compile(r"[0-9]{13}"),
    "grai": re.compile(r"0[0-9]{13}[0-9A-Z]{0,16}"),
    "giai": re.compile(r"[0-9]{4}[0-9A-Z]{0,26}"),
    "bic": re.compile(r"[A-Z]{3}[UJZR][0-9]{7}"),
}


def comes_back(key: Key) -> bool:
    """Tell whether a key that joins in upper case can be written again as it was."""
    plain = _PLAIN.get(key.kind)
    if plain is not None and plain.fullmatch(key.value):
        return True
    again = write_key(key.kind, normal_identifier(key.value))
    return again is not None and read_key(again).value == key.value


def _escaped(data: str) -> str:
    return quote(data, safe="")
