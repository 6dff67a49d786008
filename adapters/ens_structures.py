"""The messages of the ICS in tables: their elements, the forms of their texts, their parties.

Owns what ICS 11.2 (CC315A, CC313A) and 10.0 (the answers) say of structure, in a notation of our own.
What a code means is a profile's business (`profiles/*/ens.toml`). Never reads a document, never decides.

The notation: one element a line, indented under its group. `?` none or one, `*` any number, `*99` up to
99, `+` one or more, nothing: exactly one. Then the form of its text (see `FORMS`), or nothing for a group
whose elements follow, or `trader` for the seven fields that every party has (`TRADERS`).
"""

import re
from dataclasses import dataclass

NAMESPACE_PREFIX = "http://ics.dgtaxud.ec/"

# What a text looks like once its blanks are collapsed (tin: as it stands), and the rule in words.
_DATE = r"(?:0[13578]|1[02])(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)(?:0[1-9]|[12]\d|30)|02(?:0[1-9]|[12]\d)"
_TIME = r"(?:[01]\d|2[0-3])[0-5]\d"
_NAMED_FORMS = {
    "letter": (r"[a-zA-Z]", "one letter"),
    "capital": (r"[A-Z]", "one capital letter"),
    "country": (r"[A-Z]{2}", "a country code of two capital letters"),
    "language": (r"[a-zA-Z]{2}", "a language code of two letters"),
    "office": (r"[a-zA-Z]{2}[a-zA-Z0-9]{6}", "a customs office: two letters, then six letters or digits"),
    "mrn": (r"[0-9]{2}[A-Z]{2}[A-Z0-9]{13}[0-9]", "an MRN: year, country, thirteen characters and a check digit"),
    "place": (r"[a-zA-Z]{2}.{1,33}", "a UN/LOCODE, or a country code and a name, of at most 35 characters"),
    "tin": (r"(?=.{3,17}\Z)[A-Z]{2}[\x00-\x09\x0b\x0c\x0e-\x7f]*", "a TIN: two capital letters, 3 to 17 characters"),
    "decimal": (r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)", "a decimal of at most eleven digits, three after the point"),
    "date6": (rf"\d\d(?:{_DATE})", "a date, yyMMdd"),
    "time4": (_TIME, "a time, HHmm"),
    "time12": (rf"[1-9]\d{{3}}(?:{_DATE}){_TIME}", "a date and time, yyyyMMddHHmm"),
    "commodity": (r"[0-9]{4,8}", "a commodity code of four to eight digits"),
    "digit": (r"[0-9]", "one digit"),
    "digits4": (r"[0-9]{4}", "four digits"),
    "an2": (r".{2}", "two characters"),
    "capitals4": (r"[A-Z0-9]{0,4}", "at most four capital letters or digits"),
    "flag": (r"[01]", "0 or 1"),
    "message-type": (
        r"CC3(?:0[45]|1[356]|2[3458]|51)A|CD(?:03[0-2]C|07[01]B|30[1-3]A|319A|41[12]C|906B|91[23467]B)",
        "a message type of the ICS",
    ),
    "error-type": (r"1[2-59]|26|35|3[7-9]|40|9[0-3]", "a functional error code of the ICS"),
}  # fmt: skip


def _sized(letter: str, pattern: str, words: str, sizes: tuple[int, ...]) -> dict[str, tuple[str, str]]:
    return {f"{letter}{size}": (f"{pattern}{{1,{size}}}", f"1 to {size} {words}") for size in sizes}


FORMS: dict[str, tuple[re.Pattern[str], str]] = {
    name: (re.compile(pattern, re.ASCII), words)
    for name, (pattern, words) in (
        _NAMED_FORMS
        | _sized("x", ".", "characters", (4, 5, 6, 9, 14, 17, 20, 22, 27, 35, 70, 140, 210, 280, 350))
        | _sized("n", "[0-9]", "digits", (2, 5, 7))
    ).items()
}


@dataclass(frozen=True, slots=True)
class Trader:
    """A party: its role in the canonical body, and its elements.

    The fields are name, street, postcode, city, country, language, TIN. `tin_alone`: a declaration names it
    by its TIN and nothing else (condition C501).
    """

    role: str
    fields: tuple[str, ...]
    tin_alone: bool

    @property
    def address(self) -> tuple[str, ...]:
        """Name, street, postcode, city and country."""
        return self.fields[:5]

    @property
    def tin(self) -> str:
        """The element of the trader identification number."""
        return self.fields[6]


def _trader(role: str, fields: str, *, tin_alone: bool = False) -> Trader:
    return Trader(role, tuple(fields.split()), tin_alone)


TRADERS = {
    "TRACONCO1": _trader("consignor", "NamCO17 StrAndNumCO122 PosCodCO123 CitCO124 CouCO125 NADLNGCO TINCO159"),
    "TRACONCE1": _trader("consignee", "NamCE17 StrAndNumCE122 PosCodCE123 CitCE124 CouCE125 NADLNGCE TINCE159"),
    "NOTPAR670": _trader(
        "notify",
        "NamNOTPAR672 StrNumNOTPAR673 PosCodNOTPAR676 CitNOTPAR674 CouCodNOTPAR675 NOTPAR670LNG TINNOTPAR671",
    ),
    "TRACONCO2": _trader("consignor", "NamCO27 StrAndNumCO222 PosCodCO223 CitCO224 CouCO225 NADLNGGTCO TINCO259"),
    "TRACONCE2": _trader("consignee", "NamCE27 StrAndNumCE222 PosCodCE223 CitCE224 CouCE225 NADLNGGICE TINCE259"),
    "PRTNOT640": _trader(
        "notify",
        "NamPRTNOT642 StrNumPRTNOT646 PstCodPRTNOT644 CtyPRTNOT643 CouCodGINOT647 PRTNOT640LNG TINPRTNOT641",
    ),
    "TRAREP": _trader("agent", "NamTRE1 StrAndNumTRE1 PosCodTRE1 CitTRE1 CouCodTRE1 TRAREPLNG TINTRE1", tin_alone=True),
    "PERLODSUMDEC": _trader(
        "declarant", "NamPLD1 StrAndNumPLD1 PosCodPLD1 CitPLD1 CouCodPLD1 PERLODSUMDECLNG TINPLD1", tin_alone=True
    ),
    "TRACARENT601": _trader(
        "carrier",
        "NamTRACARENT604 StrNumTRACARENT607 PstCodTRACARENT606 CtyTRACARENT603 "
        "CouCodTRACARENT605 TRACARENT601LNG TINTRACARENT602",
    ),
}
TRADER_FORMS = ("x35", "x35", "x9", "x35", "country", "language", "tin")

_SENT = """
MesSenMES3 x35
MesRecMES6{receiver} x35
DatOfPreMES9 date6
TimOfPreMES10 time4
PriMES15? letter
{test}
MesIdeMES19 x14
MesTypMES20 message-type
CorIdeMES25? x14
"""
_LODGED = _SENT.format(receiver="?", test="")
_ANSWERED = _SENT.format(receiver="", test="TesIndMES18? flag")

_ITEM_DOCUMENTS = """
  PRODOCDC2*99
    DocTypDC21 x4
    DocRefDC23 x35
    DocRefDCLNG? language
"""
_ITEM_CONTAINERS = """
  CONNR2*99
    ConNumNR21 x17
  IDEMEATRAGI970*
    NatIDEMEATRAGI973? country
    IdeMeaTraGIMEATRA971 x27
    IdeMeaTraGIMEATRA972LNG? language
"""
_ANSWERED_ITEM = (
    """
  IteNumGDS7 n5
  ComRefNumGIM1? x70
"""
    + _ITEM_DOCUMENTS
    + _ITEM_CONTAINERS
)
_FIRST_ENTRY = """
CUSOFFFENT730
  RefNumCUSOFFFENT731 office
  ExpDatOfArrFIRENT733{arrival} time12
"""
_OFFICE_OF_LODGEMENT = """
CUSOFFLON?
  RefNumCOL1 office
"""
_ERRORS = """
FUNERRER1*
  ErrTypER11 error-type
  ErrPoiER12 x210
  ErrReaER13? x6
  OriAttValER14? x140
"""


def _declaration(reference: str, place: str, moment: str, lodgement: str) -> str:
    """CC315A and CC313A differ in the reference, the place and the moment, and in the office of lodgement."""
    return f"""{_LODGED}
HEAHEA
  {reference}
  TraModAtBorHEA76 n2
  IdeOfMeaOfTraCroHEA85? x27
  IdeOfMeaOfTraCroHEA85LNG? language
  NatOfMeaOfTraCroHEA87? country
  TotNumOfIteHEA305? n5
  TotNumOfPacHEA306? n7
  TotGroMasHEA307? decimal
  {place}? x35
  {place}LNG? language
  SpeCirIndHEA1? capital
  TraChaMetOfPayHEA1? capital
  ComRefNumHEA? x70
  ConRefNumHEA? x35
  PlaLoaGOOITE334? place
  PlaLoaGOOITE334LNG? language
  PlaUnlGOOITE334? place
  CodPlUnHEA357LNG? language
  {moment} time12
TRACONCO1? trader
TRACONCE1? trader
NOTPAR670? trader
GOOITEGDS+
  IteNumGDS7 n5
  GooDesGDS23? x280
  GooDesGDS23LNG? language
  GroMasGDS46? decimal
  MetOfPayGDI12? capital
  ComRefNumGIM1? x70
  UNDanGooCodGDI1? digits4
  PlaLoaGOOITE333? place
  PlaLoaGOOITE333LNG? language
  PlaUnlGOOITE333? place
  PlaUnlGOOITE333LNG? language
{_ITEM_DOCUMENTS}
  SPEMENMT2*99
    AddInfCodMT23 x5
  TRACONCO2? trader
  COMCODGODITM?
    ComNomCMD1 commodity
  TRACONCE2? trader
{_ITEM_CONTAINERS}
  PACGS2*99
    KinOfPacGS23 an2
    NumOfPacGS24? n5
    NumOfPieGS25? n5
    MarNumOfPacGSL21? x140
    MarNumOfPacGSL21LNG? language
  PRTNOT640? trader
ITI*99
  CouOfRouCodITI1 country
{lodgement}
TRAREP? trader-with-tin
PERLODSUMDEC trader-with-tin
SEAID529*
  SeaIdSEAID530 x20
  SeaIdSEAID530LNG? language
{_FIRST_ENTRY.format(arrival="")}
CUSOFFSENT740*99
  RefNumSUBENR909 office
TRACARENT601? trader
"""


# Each message by its root element.
STRUCTURES = {
    "CC315A": _declaration("RefNumHEA4 x22", "DecPlaHEA394", "DecDatTimHEA114", _OFFICE_OF_LODGEMENT),
    "CC313A": _declaration("DocNumHEA5 mrn", "AmdPlaHEA598", "DatTimAmeHEA113", ""),
    "CC328A": f"""{_ANSWERED}
HEAHEA
  RefNumHEA4 x22
  DocNumHEA5 mrn
  TraModAtBorHEA76? n2
  NatHEA001? country
  IdeOfMeaOfTraCroHEA85? x27
  IdeOfMeaOfTraCroHEA85LNG? language
  ComRefNumHEA? x70
  ConRefNumHEA? x35
  DecRegDatTimHEA115 time12
GOOITEGDS*
{_ANSWERED_ITEM}
{_OFFICE_OF_LODGEMENT}
PERLODSUMDEC trader-with-tin
{_FIRST_ENTRY.format(arrival="?")}
TRACARENT601? trader-with-tin
""",
    "CC304A": f"""{_ANSWERED}
HEAHEA
  DocNumHEA5 mrn
  TraModAtBorHEA76? n2
  IdeOfMeaOfTraCroHEA85? x27
  IdeOfMeaOfTraCroHEA85LNG? language
  NatOfMeaOfTraCroHEA87? country
  ComRefNumHEA? x70
  ConRefNumHEA? x35
  AmeAccDatTimHEA111 time12
  DatTimAmeHEA113 time12
GOOITEGDS*
{_ANSWERED_ITEM}
TRAREP? trader-with-tin
PERLODSUMDEC? trader-with-tin
{_FIRST_ENTRY.format(arrival="?")}
TRACARENT601? trader-with-tin
""",
    "CC305A": f"""{_ANSWERED}
HEAHEA
  DocNumHEA5 mrn
  AmeRejMotCodHEA604? digit
  AmeRejMotTexHEA605? x350
  AmeRejMotTexHEA605LNG? language
  DatTimAmeHEA113 time12
  AmeRejDatTimHEA112 time12
{_ERRORS}
TRAREP? trader-with-tin
PERLODSUMDEC? trader-with-tin
CUSOFFFENT730
  RefNumCUSOFFFENT731 office
""",
    "CC316A": f"""{_ANSWERED}
HEAHEA
  RefNumHEA4 x22
  DecRejReaHEA252? x350
  DecRejReaHEA252LNG? language
  DecRejDatTimHEA116 time12
{_ERRORS}
""",
    "CC351A": f"""{_ANSWERED}
HEAHEA
  RefNumHEA4 x22
  DocNumHEA5 mrn
  TraModAtBorHEA76? n2
  NatHEA001? country
  IdeOfMeaOfTraCroHEA85? x27
  TotNumOfIteHEA305? n5
  ComRefNumHEA? x70
  ConRefNumHEA? x35
  NotDatTimHEA104 time12
  DecRegDatTimHEA115 time12
  DecSubDatTimHEA118 time12
GOOITEGDS*
{_ANSWERED_ITEM}
{_OFFICE_OF_LODGEMENT}
TRAREP? trader-with-tin
PERLODSUMDEC trader-with-tin
{_FIRST_ENTRY.format(arrival="?")}
TRACARENT601? trader-with-tin
CUSINT632+
  IteNumConCUSINT668? n5
  CusIntCodCUSINT665 capitals4
  CusIntTexCUSINT666? x350
  CusIntTexCUSINT667LNG? language
""",
}

# Every element that a structure has; others are nobody's business.
NAMES = frozenset(re.findall(r"^ *(\w+)", "\n".join(STRUCTURES.values()), re.MULTILINE)) | {
    name for trader in TRADERS.values() for name in trader.fields
}
