"""Entry summary declarations with invented data, and ways to change one, for the tests of their reading."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from adapters.document import Document, Origin
from adapters.ens import TRANSLATORS
from adapters.ens_check import check
from adapters.profile import UK, Profile
from adapters.translator import messages
from schemas import Message

(ENS,) = TRANSLATORS
RECEIVED = datetime(2026, 3, 2, tzinfo=UTC)
ORIGIN = Origin("kr.border", RECEIVED, ZoneInfo("Asia/Seoul"))
BRITISH = Origin("gb.customs", RECEIVED, ZoneInfo("Europe/London"), UK)

PREPARED = """<MesSenMES3>GB12345/1234567890</MesSenMES3>{receiver}
<DatOfPreMES9>260301</DatOfPreMES9><TimOfPreMES10>0915</TimOfPreMES10>
<MesIdeMES19>ENS1</MesIdeMES19><MesTypMES20>{name}</MesTypMES20>"""
# A declaration by rail that breaks no rule, one element a line so that a test can change any of them.
NEW = f"""<e:CC315A xmlns:e="http://ics.dgtaxud.ec/CC315A">
{PREPARED.format(receiver="", name="CC315A")}
<HEAHEA>
<RefNumHEA4>ENS-26-1</RefNumHEA4>
<TraModAtBorHEA76>2</TraModAtBorHEA76>
<TotNumOfIteHEA305>1</TotNumOfIteHEA305>
<TotNumOfPacHEA306>10</TotNumOfPacHEA306>
<TotGroMasHEA307>120.5</TotGroMasHEA307>
<ComRefNumHEA>6kr 123-x</ComRefNumHEA>
<ConRefNumHEA>T 77</ConRefNumHEA>
<PlaLoaGOOITE334>THLCH</PlaLoaGOOITE334>
<PlaUnlGOOITE334>KRPUS</PlaUnlGOOITE334>
<DecDatTimHEA114>202603010910</DecDatTimHEA114>
</HEAHEA>
<TRACONCE1><TINCE159>GB777</TINCE159></TRACONCE1>
<GOOITEGDS>
<IteNumGDS7>1</IteNumGDS7>
<GooDesGDS23>Orchid plants</GooDesGDS23>
<GroMasGDS46>120.5</GroMasGDS46>
<UNDanGooCodGDI1>1234</UNDanGooCodGDI1>
<PRODOCDC2><DocTypDC21>N705</DocTypDC21><DocRefDC23>BL 1</DocRefDC23></PRODOCDC2>
<PRODOCDC2><DocTypDC21>N851</DocTypDC21><DocRefDC23>PC-1</DocRefDC23></PRODOCDC2>
<PRODOCDC2><DocTypDC21>N380</DocTypDC21><DocRefDC23>INV-1</DocRefDC23></PRODOCDC2>
<COMCODGODITM><ComNomCMD1>060290</ComNomCMD1></COMCODGODITM>
<CONNR2><ConNumNR21>CBMU2046175</ConNumNR21></CONNR2>
<IDEMEATRAGI970><IdeMeaTraGIMEATRA971>W-9</IdeMeaTraGIMEATRA971></IDEMEATRAGI970>
<PACGS2><KinOfPacGS23>CT</KinOfPacGS23><NumOfPacGS24>10</NumOfPacGS24><MarNumOfPacGSL21>A</MarNumOfPacGSL21></PACGS2>
</GOOITEGDS>
<ITI><CouOfRouCodITI1>TH</CouOfRouCodITI1></ITI>
<ITI><CouOfRouCodITI1>KR</CouOfRouCodITI1></ITI>
<PERLODSUMDEC><TINPLD1>GB12345</TINPLD1></PERLODSUMDEC>
<SEAID529><SeaIdSEAID530>S-1</SeaIdSEAID530></SEAID529>
<CUSOFFFENT730><RefNumCUSOFFFENT731>KRPUS001</RefNumCUSOFFFENT731>
<ExpDatOfArrFIRENT733>202603030600</ExpDatOfArrFIRENT733></CUSOFFFENT730>
</e:CC315A>"""
AMENDED = (
    NEW.replace("CC315A", "CC313A")
    .replace("<RefNumHEA4>ENS-26-1</RefNumHEA4>", "<DocNumHEA5>26KR1A2B3C4D5E6F75</DocNumHEA5>")
    .replace("DecDatTimHEA114", "DatTimAmeHEA113")
)
DECLARANT = "<PERLODSUMDEC><TINPLD1>GB12345</TINPLD1></PERLODSUMDEC>"
OFFICE = "<CUSOFFFENT730><RefNumCUSOFFFENT731>KRPUS001</RefNumCUSOFFFENT731></CUSOFFFENT730>"
REFERENCE = "<RefNumHEA4>ENS-26-1</RefNumHEA4>"
MRN = "<DocNumHEA5>26KR1A2B3C4D5E6F75</DocNumHEA5>"
ERRORS = (
    "<FUNERRER1><ErrTypER11>12</ErrTypER11><ErrPoiER12>/HEAHEA</ErrPoiER12><ErrReaER13>R826</ErrReaER13>"
    "<OriAttValER14>secret cargo</OriAttValER14></FUNERRER1>"
)


def answer(name: str, header: str, rest: str = "") -> bytes:
    prepared = PREPARED.format(receiver="<MesRecMES6>KR</MesRecMES6>", name=name)
    return f'<e:{name} xmlns:e="http://ics.dgtaxud.ec/{name}">{prepared}<HEAHEA>{header}</HEAHEA>{rest}</e:{name}>'.encode()


def moment(name: str, time: str) -> str:
    return f"<{name}>{time}</{name}>"


def changed(*edits: tuple[str, str], base: str = NEW) -> bytes:
    for old, new in edits:
        assert old in base, old
        base = base.replace(old, new, 1)
    return base.encode()


def read(content: bytes | str, origin: Origin = ORIGIN) -> list[Message]:
    return messages(ENS, Document(content.encode() if isinstance(content, str) else content), origin)


def read_one(content: bytes | str, origin: Origin = ORIGIN) -> Any:
    (message,) = read(content, origin)
    return message


def warnings(content: bytes | str, origin: Origin = ORIGIN) -> set[str]:
    return {warning.code for warning in read_one(content, origin).data.native.warnings or []}


def numbers(content: bytes, profile: Profile = UK) -> list[str]:
    return sorted(fault.code for fault in check(Document(content), profile))


# Changes that several tests make.
ROAD = ("<TraModAtBorHEA76>2<", "<TraModAtBorHEA76>3<")
SEA = ("<TraModAtBorHEA76>2<", "<TraModAtBorHEA76>1<")
AIR = ("<TraModAtBorHEA76>2<", "<TraModAtBorHEA76>4<")
SHIP = ("<TotNumOfIteHEA305>", "<IdeOfMeaOfTraCroHEA85>9123453</IdeOfMeaOfTraCroHEA85><TotNumOfIteHEA305>")
NO_MEANS = ("<IDEMEATRAGI970><IdeMeaTraGIMEATRA971>W-9</IdeMeaTraGIMEATRA971></IDEMEATRAGI970>\n", "")
NATIONAL = ("<IdeMeaTraGIMEATRA971>W-9", "<NatIDEMEATRAGI973>KR</NatIDEMEATRAGI973><IdeMeaTraGIMEATRA971>W-9")
NO_CONSIGNEE = ("<TRACONCE1><TINCE159>GB777</TINCE159></TRACONCE1>\n", "")
TO_ORDER = ("<COMCODGODITM>", "<SPEMENMT2><AddInfCodMT23>10600</AddInfCodMT23></SPEMENMT2><COMCODGODITM>")
CONSIGNEE_OF_ITEM = ("</COMCODGODITM>", "</COMCODGODITM><TRACONCE2><TINCE259>GB8</TINCE259></TRACONCE2>")
CONSIGNOR_OF_ITEM = ("<COMCODGODITM>", "<TRACONCO2><TINCO259>GB8</TINCO259></TRACONCO2><COMCODGODITM>")
CONSIGNOR = ("<TRACONCE1>", "<TRACONCO1><TINCO159>GB1</TINCO159></TRACONCO1><TRACONCE1>")
SEAL = "<SEAID529><SeaIdSEAID530>S-1</SeaIdSEAID530></SEAID529>"
NOTIFY_OF_ITEM = ("</GOOITEGDS>", "<PRTNOT640><TINPRTNOT641>GB8</TINPRTNOT641></PRTNOT640></GOOITEGDS>")
NOTIFY = ("<GOOITEGDS>", "<NOTPAR670><TINNOTPAR671>GB9</TINNOTPAR671></NOTPAR670><GOOITEGDS>")
CARRIER = ("</e:CC315A>", "<TRACARENT601><TINTRACARENT602>GB5</TINTRACARENT602></TRACARENT601></e:CC315A>")
NO_DOCUMENTS = [
    (f"<PRODOCDC2><DocTypDC21>{type_}</DocTypDC21><DocRefDC23>{id_}</DocRefDC23></PRODOCDC2>\n", "")
    for type_, id_ in (("N705", "BL 1"), ("N851", "PC-1"), ("N380", "INV-1"))
]
PACKED = "<KinOfPacGS23>CT</KinOfPacGS23><NumOfPacGS24>10</NumOfPacGS24>"
MARKS = "<MarNumOfPacGSL21>A</MarNumOfPacGSL21>"
FLIGHT = ("<ConRefNumHEA>T 77<", "<ConRefNumHEA>KE907<")


def circumstance(letter: str) -> tuple[str, str]:
    return "<ComRefNumHEA>", f"<SpeCirIndHEA1>{letter}</SpeCirIndHEA1><ComRefNumHEA>"
