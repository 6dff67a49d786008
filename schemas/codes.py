"""Code types of the field: countries, places, commodities, equipment, references.

Owns the form of each code and its check digit. Never looks anything up outside this file: which
UN/LOCODE or tariff number exists today is the business of code lists that an operator supplies.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, StringConstraints
from pydantic_core import PydanticCustomError

# ISO 3166-1 alpha-2, officially assigned.
COUNTRIES = frozenset(
    """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ
    CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO
    FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE
    JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO
    MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW
    PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM
    TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
    """.split()  # noqa: SIM905 (249 quoted words read worse)
)
# User-assigned codes that border documents use all the same: Northern Ireland, Kosovo, the European
# Union, Ceuta, Melilla, international waters (UN/LOCODE), and the customs codes for ships' stores and
# countries not specified (EU GEONOM).
CUSTOMS_COUNTRIES = frozenset(
    "XI XK EU XC XL XZ QP QQ QR QS QU QV QW QX QY QZ".split()  # noqa: SIM905
)

AGENCY_PATTERN = r"^[a-z]{2}\.[a-z][a-z0-9-]{0,29}$"
LOCODE_PATTERN = r"^[A-Z]{2}[A-Z2-9]{3}$"


def is_country(code: str) -> bool:
    """Tell whether `code` is an ISO 3166-1 alpha-2 code or one of the customs codes beside it."""
    return code in COUNTRIES or code in CUSTOMS_COUNTRIES


def is_locode(code: str) -> bool:
    """Tell whether `code` has the form of a UN/LOCODE (Recommendation 16) in a known country."""
    return re.fullmatch(LOCODE_PATTERN, code) is not None and is_country(code[:2])


def _country(code: str) -> str:
    if not is_country(code):
        raise PydanticCustomError("country", "not an ISO 3166-1 alpha-2 country code")
    return code


def _locode(code: str) -> str:
    if not is_country(code[:2]):
        raise PydanticCustomError("locode", "a UN/LOCODE begins with an ISO 3166-1 alpha-2 country code")
    return code


def normal_identifier(value: str) -> str:
    """Return an identifier in the form in which all sources meet: upper case, no blanks."""
    return "".join(value.split()).upper()


def _identifier_value(value: str) -> str:
    normal = normal_identifier(value)
    if not normal:
        raise PydanticCustomError("identifier", "an identifier has at least one character that is no blank")
    return normal


AgencyId = Annotated[str, StringConstraints(pattern=AGENCY_PATTERN)]
Country = Annotated[str, StringConstraints(min_length=2, max_length=2), AfterValidator(_country)]
Locode = Annotated[str, StringConstraints(pattern=LOCODE_PATTERN), AfterValidator(_locode)]
# HS 2022 has two to six digits; nations add their own up to fourteen. Compared to six, never beyond.
HsCode = Annotated[str, StringConstraints(pattern=r"^[0-9]{2,14}$")]
# UN number of dangerous goods, four digits.
UnNumber = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}$")]
# ISO 4217 alphabetic.
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
# UNECE Recommendation 19, one digit.
TransportMode = Annotated[str, StringConstraints(pattern=r"^[0-9]$")]
IdentifierValue = Annotated[str, StringConstraints(min_length=1, max_length=256), AfterValidator(_identifier_value)]


def hs6(code: str) -> str:
    """Return the part of a commodity code that is the same in every nation: at most six digits."""
    return code[:6]


_ISO6346_FORM = re.compile(r"[A-Z]{3}[UJZR][0-9]{7}")
# ISO 6346 annex A: letters count from 10, leaving out the multiples of 11.
_ISO6346_VALUE = {str(digit): digit for digit in range(10)} | dict(
    zip(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        [10, *range(12, 22), *range(23, 33), *range(34, 39)],
        strict=True,
    )
)


def has_container_form(number: str) -> bool:
    """Tell whether `number` has the form of a freight container number (ISO 6346), check digit aside."""
    return _ISO6346_FORM.fullmatch(number) is not None


def equipment_number(value: str) -> str:
    """Return an equipment's number in the form in which all sources meet.

    A container's is often written with hyphens, slashes or dots between its parts; of any other number they may
    be part.
    """
    normal = normal_identifier(value)
    bare = "".join(character for character in normal if character.isascii() and character.isalnum())
    return bare if has_container_form(bare) else normal


def container_check_digit(number: str) -> int:
    """Return the check digit (ISO 6346, annex A) of the first ten characters of `number`."""
    total: int = sum(_ISO6346_VALUE[character] << place for place, character in enumerate(number[:10]))
    return total % 11 % 10


def container_warning(number: str) -> str | None:
    """Return what is odd about a container number, or None. Real data breaks ISO 6346: never refuse on it."""
    if not has_container_form(number):
        return "not the form of a container number (ISO 6346): four letters, the fourth U, J, Z or R, seven digits"
    if container_check_digit(number) != int(number[10]):
        return "the check digit (ISO 6346) does not match"
    return None


_UCR_FORM = re.compile(r"[0-9][A-Z]{2}[A-Z0-9()\-/.]{1,32}")


def ucr_warning(value: str) -> str | None:
    """Return what is odd about a unique consignment reference (WCO UCR guidelines), or None."""
    if _UCR_FORM.fullmatch(value) is None:
        return "not the form of a UCR: one digit of the year, a country code, then up to 32 characters"
    if not is_country(value[1:3]):
        return "the second and third character of a UCR are an ISO 3166-1 country code"
    return None
