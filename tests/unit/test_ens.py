"""Promises about entry summary declarations: what is legible is read, what breaks a rule says which."""

import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.document import Document
from adapters.profile import NEUTRAL, Profile
from adapters.translator import messages
from schemas import parse
from schemas.errors import TranslationError
from tests.entry_summaries import (
    AMENDED,
    DECLARANT,
    ENS,
    ERRORS,
    MRN,
    NEW,
    OFFICE,
    ORIGIN,
    PACKED,
    RECEIVED,
    REFERENCE,
    SEA,
    SHIP,
    answer,
    changed,
    moment,
    numbers,
    read,
    read_one,
    warnings,
)  # fmt: skip

EXAMPLES = Path(__file__).parents[2] / "examples" / "seaport" / "documents" / "kr.border"


def refusal(content: bytes) -> set[str]:
    with pytest.raises(TranslationError) as caught:
        read(content)
    assert all(fault.pointer for fault in caught.value.faults)
    return {fault.code for fault in caught.value.faults}


def test_a_new_declaration_is_declared_with_all_its_references() -> None:
    message = read_one(NEW)
    assert (message.type, message.subject) == ("shipment.declared", "6KR123-X")
    assert [(i.scheme, i.value) for i in message.data.identifiers] == [
        ("ucr", "6KR123-X"), ("lrn", "ENS-26-1"), ("transport-document", "BL1"), ("certificate", "PC-1"),
        ("other", "INV-1"), ("container", "CBMU2046175"), ("equipment", "W-9"), ("seal", "S-1"),
    ]  # fmt: skip
    assert message.data.identifiers[1].issuer == "GB12345"
    assert message.data.native.warnings is None


def test_a_nation_says_itself_what_its_modes_packages_and_documents_are() -> None:
    codes = {
        "mode": {"7": {"mode": "7", "means": "name"}},
        "package": {"KR": "unpacked"},
        "document": {"K05": "certificate"},
    }
    own = Profile("kr", "", "1", NEUTRAL, {"ens": codes})
    pieces = "<KinOfPacGS23>KR</KinOfPacGS23><NumOfPieGS25>7</NumOfPieGS25>"
    content = changed(("<TraModAtBorHEA76>2<", "<TraModAtBorHEA76>7<"), ("N705", "K05"), (PACKED, pieces))
    data = read_one(content, replace(ORIGIN, profile=own)).data
    assert (data.transport.mode, data.goods[0].packages) == ("7", 7)
    assert ("certificate", "BL1") in [(i.scheme, i.value) for i in data.identifiers]
    data = read_one(content).data
    assert (data.transport.mode, data.goods[0].packages) == (None, None)
    assert ("other", "BL1") in [(i.scheme, i.value) for i in data.identifiers]


def test_times_are_read_in_the_adapters_zone_and_say_so() -> None:
    message = read_one(NEW)
    assert message.time.isoformat() == "2026-03-01T09:15:00+09:00"
    assert message.data.occurred.isoformat() == "2026-03-01T09:10:00+09:00"
    assert message.data.zone_assumed is True


def test_goods_place_transport_equipment_and_documents_are_carried() -> None:
    data = read_one(NEW).data
    assert data.place.model_dump(exclude_none=True) == {"locode": "KRPUS", "country": "KR", "facility": "KRPUS001"}
    assert data.transport.model_dump(exclude_none=True) == {
        "mode": "2", "means": {"scheme": "wagon", "value": "W-9"}, "voyage": "T 77",
    }  # fmt: skip
    assert [goods.model_dump(exclude_none=True) for goods in data.goods] == [
        {"item": 1, "hs": "060290", "description": "Orchid plants", "gross_mass_kg": 120.5, "packages": 10,
         "un_number": "1234"}
    ]  # fmt: skip
    assert [e.model_dump() for e in data.equipment] == [{"number": "CBMU2046175", "type": None, "seals": ["S-1"]}]
    assert [(d.type, d.id) for d in data.documents] == [("N705", "BL 1"), ("N851", "PC-1"), ("N380", "INV-1")]
    assert [(p.role, p.id) for p in data.parties] == [("consignee", "GB777"), ("declarant", "GB12345")]


def test_an_amendment_is_amended_under_its_mrn() -> None:
    message = read_one(AMENDED)
    assert message.type == "shipment.amended"
    assert ("mrn", "26KR1A2B3C4D5E6F75") in [(i.scheme, i.value) for i in message.data.identifiers]
    without = read_one(changed(("<ComRefNumHEA>6kr 123-x</ComRefNumHEA>\n", ""), base=AMENDED))
    assert without.subject == "26KR1A2B3C4D5E6F75"


LATER, SOONER = "202603011000", "202603010900"
ANSWERS = [
    (
        answer("CC328A", REFERENCE + MRN + moment("DecRegDatTimHEA115", LATER), DECLARANT + OFFICE),
        ("shipment.declared", "accepted", None, None),
    ),
    (
        answer("CC304A", MRN + moment("AmeAccDatTimHEA111", LATER) + moment("DatTimAmeHEA113", SOONER), OFFICE),
        ("shipment.amended", "accepted", "DatTimAmeHEA113: 202603010900", None),
    ),
    (
        answer(
            "CC316A",
            f"{REFERENCE}<DecRejReaHEA252>no entry</DecRejReaHEA252>{moment('DecRejDatTimHEA116', LATER)}",
            ERRORS,
        ),
        ("shipment.rejected", "rejected", "no entry\n12 R826 /HEAHEA", None),
    ),
    (
        answer(
            "CC305A",
            f"{MRN}<AmeRejMotCodHEA604>3</AmeRejMotCodHEA604>{moment('DatTimAmeHEA113', SOONER)}"
            f"{moment('AmeRejDatTimHEA112', LATER)}",
            ERRORS + OFFICE,
        ),
        (
            "shipment.rejected",
            "rejected",
            "12 R826 /HEAHEA\nAmeRejMotCodHEA604: 3\nDatTimAmeHEA113: 202603010900",
            None,
        ),
    ),
    (
        answer(
            "CC351A",
            f"{REFERENCE}{MRN}{moment('NotDatTimHEA104', LATER)}{moment('DecRegDatTimHEA115', SOONER)}"
            f"{moment('DecSubDatTimHEA118', SOONER)}",
            f"{DECLARANT}{OFFICE}<CUSINT632><IteNumConCUSINT668>2</IteNumConCUSINT668>"
            "<CusIntCodCUSINT665>A001</CusIntCodCUSINT665><CusIntTexCUSINT666>stop</CusIntTexCUSINT666></CUSINT632>",
        ),
        (
            "shipment.held",
            "held",
            "A001: stop\nDecRegDatTimHEA115: 202603010900\nDecSubDatTimHEA118: 202603010900",
            2,
        ),
    ),
]


@pytest.mark.parametrize(("content", "told"), ANSWERS)
def test_an_answer_carries_its_decision(content: bytes, told: tuple[object, ...]) -> None:
    message = read_one(content)
    decision = message.data.decision
    assert (message.type, decision.outcome, decision.reason, decision.item) == told
    assert message.data.native.warnings is None
    assert message.data.occurred.isoformat() == "2026-03-01T10:00:00+09:00"
    assert b"secret" not in message.to_bytes()


def intervention(code: str, item: int | None = None) -> str:
    about = f"<IteNumConCUSINT668>{item}</IteNumConCUSINT668>" if item else ""
    return f"<CUSINT632>{about}<CusIntCodCUSINT665>{code}</CusIntCodCUSINT665></CUSINT632>"


def test_interventions_are_one_message_for_each_item_with_the_goods_of_that_item() -> None:
    items = "".join(f"<GOOITEGDS><IteNumGDS7>{number}</IteNumGDS7></GOOITEGDS>" for number in (1, 2, 3))
    told = intervention("A001", 2) + intervention("A002") + intervention("A003", 2) + intervention("A004")
    found: list[Any] = read(answer("CC351A", MRN, items + DECLARANT + OFFICE + told))
    assert [(m.type, m.data.decision.item, m.data.decision.reason, [g.item for g in m.data.goods]) for m in found] == [
        ("shipment.held", 2, "A001\nA003", [2]),
        ("shipment.held", None, "A002\nA004", [1, 2, 3]),
    ]
    assert len({m.id for m in found}) == 2


def test_interventions_in_a_great_many_items_are_told_as_one_in_the_whole() -> None:
    told = "".join(intervention(f"A{number}", number) for number in range(1, 101))
    content = answer("CC351A", MRN, DECLARANT + OFFICE + told)
    decision = read_one(content).data.decision
    assert decision.item is None
    assert decision.reason.startswith("A1\nA2\n")
    assert decision.reason.endswith("\nA100")
    assert "many-items" in warnings(content)


@pytest.mark.parametrize(
    "envelope",
    [
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header/><s:Body>{}</s:Body></s:Envelope>',
        "<notificationResponse><response>{}</response><acknowledgement method='DELETE'/></notificationResponse>",
        '<GovTalkMessage xmlns="http://www.govtalk.gov.uk/CM/envelope"><Body>{}</Body></GovTalkMessage>',
    ],
)
def test_an_envelope_changes_nothing_but_the_places(envelope: str) -> None:
    content = envelope.format(NEW)
    assert ENS.recognise(Document(content.encode())) == 1
    inside = NEW.replace("<e:CC315A", '<e:CC315A xmlns=""')
    assert read_one(envelope.format(inside)).data.identifiers == read_one(NEW).data.identifiers
    assert read_one(content).data.goods == read_one(NEW).data.goods


@pytest.mark.parametrize(
    ("old", "new"),
    [("e:CC315A xmlns:e", "CC315A xmlns"), (' xmlns:e="http://ics.dgtaxud.ec/CC315A"', ""), ('/CC315A"', '/CC315B"')],
)
def test_another_name_space_is_read_with_a_warning(old: str, new: str) -> None:
    content = NEW.replace(old, new)
    if "xmlns:e=" not in content:
        content = content.replace("e:CC315A", "CC315A")
    assert ENS.recognise(Document(content.encode())) >= 0.8
    message = read_one(content)
    assert message.data.identifiers == read_one(NEW).data.identifiers
    assert {w.code for w in message.data.native.warnings} == {"ens-namespace"}


def test_two_declarations_in_one_envelope_are_two_messages() -> None:
    second = NEW.replace("6kr 123-x", "6KR124-X")
    assert [m.subject for m in read(f"<all>{NEW}{second}</all>")] == ["6KR123-X", "6KR124-X"]


def test_the_same_bytes_are_the_same_messages() -> None:
    assert [m.to_bytes() for m in read(NEW)] == [m.to_bytes() for m in read(NEW)]


@pytest.mark.parametrize("name", ["plants", "machinery"])
def test_the_examples_break_no_rule_but_that_of_a_british_declarant(name: str) -> None:
    content = (EXAMPLES / f"ens-{name}.xml").read_bytes()
    assert numbers(content) == ["ens-8692"]
    message = read_one(content)
    assert message.data.place.locode == "KRPUS"
    assert any(i.scheme == "ucr" and i.value == message.subject for i in message.data.identifiers)


@pytest.mark.parametrize(
    ("edits", "code", "path", "value"),
    [
        ([("<TRACONCE1>", "<TRACONCE1><CouCE125>QX1</CouCE125>")], "country", "parties.0.country", None),
        ([("<ComNomCMD1>060290<", "<ComNomCMD1>0602.90<")], "commodity", "goods.0.hs", None),
        ([("<GroMasGDS46>120.5<", "<GroMasGDS46>-120.5<")], "mass", "goods.0.gross_mass_kg", None),
        ([("<GroMasGDS46>120.5<", "<GroMasGDS46>1e400<")], "mass", "goods.0.gross_mass_kg", None),
        ([("<UNDanGooCodGDI1>1234<", "<UNDanGooCodGDI1>UN12<")], "un-number", "goods.0.un_number", None),
        ([("<PlaUnlGOOITE334>KRPUS<", "<PlaUnlGOOITE334>Xxandu<")], "place", "place.locode", None),
        ([("<DecDatTimHEA114>202603010910<", "<DecDatTimHEA114>202602310910<")], "time", "occurred.hour", 9),
        ([("CBMU2046175", "CBMU2046176")], "container-number", "identifiers.5.scheme", "container"),
        ([("CBMU2046175", "TRAILER9")], "container-number", "identifiers.5.scheme", "equipment"),
        ([("<MesTypMES20>CC315A<", "<MesTypMES20>CC313A<")], "message-type", "goods.0.item", 1),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_left_out_with_a_warning(
    edits: list[tuple[str, str]], code: str, path: str, value: object
) -> None:
    content = changed(*edits)
    assert code in warnings(content)
    found: Any = read_one(content).data
    for step in path.split("."):
        found = found[int(step)] if step.isdigit() else getattr(found, step)
    assert found == value


def test_without_any_time_that_of_receipt_stands_in_and_no_zone_is_assumed() -> None:
    content = changed(("<DatOfPreMES9>260301<", "<DatOfPreMES9>soon<"), ("202603010910", "later"))
    message = read_one(content)
    assert "no-time" in warnings(content)
    assert (message.time, message.data.occurred, message.data.zone_assumed) == (RECEIVED, RECEIVED, None)


def test_seals_are_on_the_container_only_where_there_is_one() -> None:
    two = changed(("<CONNR2>", "<CONNR2><ConNumNR21>CBMU3104281</ConNumNR21></CONNR2><CONNR2>"))
    data = read_one(two).data
    assert [e.seals for e in data.equipment] == [None, None]
    assert ("seal", "S-1") in [(i.scheme, i.value) for i in data.identifiers]


@pytest.mark.parametrize(
    ("mode", "identity", "rec19", "scheme"),
    [("1", "9123453", "1", "imo"), ("8", "02327172", "8", "eni"), ("1", "Busan Star", "1", "name"),
     ("3", "12 GA 3456", "3", "registration"), ("10", "12 GA 3456", "1", "registration"), ("7", "X", None, "name")],
)  # fmt: skip
def test_the_means_of_transport_is_named_by_what_the_mode_says(
    mode: str, identity: str, rec19: str | None, scheme: str
) -> None:
    content = changed((SEA[0], f"<TraModAtBorHEA76>{mode}<"), SHIP, ("9123453", identity))
    transport = read_one(content).data.transport
    assert (transport.mode, transport.means.scheme, transport.means.value) == (rec19, scheme, identity)


@pytest.mark.parametrize(
    ("content", "codes"),
    [
        (b"<other/>", {"not-ens"}),
        (NEW.encode()[:900], {"not-well-formed"}),
        (b'<CC315A xmlns="http://ics.dgtaxud.ec/CC315A"/>', {"missing"}),
        (changed(("<HEAHEA>", "<HEAHEA/><HEAHEA>")), {"contradictory"}),
        (changed(("<RefNumHEA4>", "<RefNumHEA4>OTHER</RefNumHEA4><RefNumHEA4>")), {"contradictory"}),
        (answer("CC316A", ""), {"no-reference"}),
        (b"<all>" + b"<CC315A/>" * 1000 + b"</all>", {"too-many-messages"}),
        (answer("CC316A", "").replace(b"</e:CC316A>", b"<GOOITEGDS/>" * 10_000 + b"</e:CC316A>"), {"too-many-items"}),
    ],
)
def test_what_is_illegible_or_contradicts_itself_is_refused(content: bytes, codes: set[str]) -> None:
    assert refusal(content) == codes


def test_every_fault_of_every_declaration_is_told_at_once() -> None:
    with pytest.raises(TranslationError) as caught:
        read(f"<all>{NEW}<CC315A/><CC313A><HEAHEA/></CC313A></all>")
    assert [fault.code for fault in caught.value.faults] == ["missing", "no-reference"]


@pytest.mark.parametrize("text", ["9" * 5000, "Ä" * 5000, "-", "", "\u00a0"])
def test_no_single_text_costs_the_whole_declaration(text: str) -> None:
    """Too long, too short or nonsense: the element is lost or cut, the rest is read."""
    correlated = NEW.replace("</MesTypMES20>", "</MesTypMES20><CorIdeMES25>C</CorIdeMES25>")
    for content in (correlated, AMENDED):
        for found in re.finditer(r">([^<>\s][^<>]*)</", content):
            altered = content[: found.start(1)] + text + content[found.end(1) :]
            assert read(altered), found


def test_the_same_reference_twice_is_no_contradiction() -> None:
    content = changed(("<RefNumHEA4>", "<RefNumHEA4> ens-26-1</RefNumHEA4><RefNumHEA4>"))
    assert "ens-repeats" in warnings(content)


def test_a_test_message_is_marked_as_one_and_the_correlation_is_kept() -> None:
    content = answer("CC316A", REFERENCE).replace(
        b"<MesIdeMES19>", b"<TesIndMES18>1</TesIndMES18><MesIdeMES19>"
    ).replace(b"</MesTypMES20>", b"</MesTypMES20><CorIdeMES25>C-9</CorIdeMES25>")  # fmt: skip
    message = read_one(content)
    assert (message.test, message.correlationid) == (True, "C-9")


def test_warnings_never_repeat_what_the_document_says_of_the_cargo() -> None:
    secret = "Zebrafish"
    content = NEW.replace("Orchid plants", secret * 40).replace("060290", secret).replace("CBMU2046175", secret)
    content = content.replace("KRPUS", f"1{secret}").replace("120.5", secret).replace(">TH<", f">{secret}<")
    for warning in read_one(content).data.native.warnings:
        assert secret.lower() not in f"{warning.code} {warning.pointer} {warning.detail}".lower()


def test_it_is_recognised_by_content_even_if_broken_and_nothing_else_is() -> None:
    assert ENS.recognise(Document(NEW.encode())) == 1
    assert ENS.recognise(Document(NEW.encode("utf-16"))) == 1
    assert ENS.recognise(Document(NEW.encode()[:500])) == 0.5
    for other in (b"", b"CC315A", b"<a/>", b"{}", b"<CC015C/>", b"\x00" * 100, b"<a>CC315A"):
        assert ENS.recognise(Document(other)) == 0


def test_nothing_is_written() -> None:
    with pytest.raises(TranslationError):
        ENS.write(read_one(NEW))


ITEM = NEW[NEW.index("<GOOITEGDS>") : NEW.index("<ITI>")]
CONTAINER = "<CONNR2><ConNumNR21>{}</ConNumNR21></CONNR2>"
COSTLY = {
    "items with faults": changed(("<ITI>", ITEM.replace("120.5", "-1").replace("CBMU2046175", "X") * 5000 + "<ITI>")),
    "containers": changed(("<CONNR2>", "".join(CONTAINER.format(f"X{i}") for i in range(100_000)) + "<CONNR2>")),
    "parties": changed(("<TRACONCE1>", "<TRACONCE1><CouCE125>QX</CouCE125></TRACONCE1>" * 100_000 + "<TRACONCE1>")),
    "unknown elements": changed(("<ITI>", "<U/>" * 900_000 + "<ITI>")),
    "interventions": answer("CC351A", MRN, intervention("A1", 7) * 100_000),
    "messages": b"<all>" + b"<CC315A/>" * 300_000 + b"</all>",
}


@pytest.mark.parametrize("content", COSTLY.values(), ids=COSTLY.keys())
def test_a_document_with_a_great_many_of_anything_is_read_or_refused_in_seconds(content: bytes) -> None:
    started = time.process_time()
    try:
        found = read(content)
    except TranslationError:
        found = []
    assert all(len(message.data.native.warnings) <= 100 for message in found)
    assert time.process_time() - started < 20


def check_sound(content: bytes) -> None:
    """Whatever the bytes: messages that the wire takes back unchanged, or a refusal with its reasons."""
    document = Document(content)
    assert 0 <= ENS.recognise(document) <= 1
    try:
        found = messages(ENS, document, ORIGIN)
    except TranslationError as error:
        assert error.faults  # noqa: PT017 (either end is right)
        return
    for message in found:
        assert parse(message.to_bytes()).to_bytes() == message.to_bytes()


@given(st.data())
@settings(max_examples=200)
def test_mutated_bytes_are_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from([NEW, AMENDED])).encode())
    for _ in range(data.draw(st.integers(1, 8))):
        start = data.draw(st.integers(0, len(content)))
        content[start : start + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=6))
    check_sound(bytes(content))


@given(st.integers(0, len(NEW)))
def test_truncated_bytes_are_refused(end: int) -> None:
    if end < len(NEW.rstrip()):
        assert refusal(NEW[:end].encode()) == {"not-well-formed"}


legible = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="<>&\ufffe\uffff"))


@given(st.data())
@settings(max_examples=200)
def test_any_text_in_any_element_is_read_or_refused(data: st.DataObject) -> None:
    pieces = NEW.split("</")
    for _ in range(data.draw(st.integers(1, 6))):
        index = data.draw(st.integers(1, len(pieces) - 1))
        text = data.draw(legible | st.from_regex(r"[0-9.+-]{1,20}", fullmatch=True) | legible.map(lambda t: t * 300))
        head, mark, _ = pieces[index - 1].rpartition(">")
        pieces[index - 1] = head + mark + text
    check_sound("</".join(pieces).encode())
