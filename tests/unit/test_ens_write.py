"""Promises about the answers of the ICS: decisions are written as they were read, and nothing is made up."""

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from adapters.document import Document, Origin
from adapters.ens_check import check
from adapters.ens_reject import Rejections, main
from adapters.profile import NEUTRAL, Profile
from adapters.translator import messages
from schemas import parse
from schemas.errors import TranslationError
from tests.entry_summaries import (
    AMENDED,
    BRITISH,
    CONSIGNOR,
    CONSIGNOR_OF_ITEM,
    DECLARANT,
    ENS,
    ERRORS,
    MRN,
    NEW,
    OFFICE,
    ORIGIN,
    REFERENCE,
    SEA,
    SEAL,
    answer,
    changed,
    moment,
    numbers,
    read,
    read_one,
)  # fmt: skip
from tests.unit.test_ens import ANSWERS, LATER, SOONER, intervention

REGISTERED = "DecRegDatTimHEA115: 202603010900\nDecSubDatTimHEA118: 202603010858"
HELD = answer(
    "CC351A",
    f"{REFERENCE}{MRN}{moment('NotDatTimHEA104', LATER)}{moment('DecRegDatTimHEA115', SOONER)}"
    f"{moment('DecSubDatTimHEA118', SOONER)}",
    f"<GOOITEGDS><IteNumGDS7>1</IteNumGDS7></GOOITEGDS>{DECLARANT}{OFFICE}{intervention('A001')}",
)


def body(message: Any) -> dict[str, Any]:
    """Return what a message says, without what tells of its document."""
    told: dict[str, Any] = message.data.model_dump(mode="json", exclude_none=True, exclude={"native"})
    return told | {"type": message.type, "subject": message.subject, "time": message.time.isoformat()}


def altered(message: Any, type: str | None = None, **fields: Any) -> Any:
    """Return a message with fields of its body replaced; None takes one away."""
    told = json.loads(message.to_bytes())
    told["data"] = {name: value for name, value in (told["data"] | fields).items() if value is not None}
    return parse(json.dumps(told | ({"type": type} if type else {})).encode())


def decided(outcome: str = "held", reason: str | None = REGISTERED, **more: Any) -> dict[str, Any]:
    told = {"authority": "KRPUS001", "outcome": outcome, "reason": reason} | more
    return {name: value for name, value in told.items() if value is not None}


def missing(message: Any) -> set[str]:
    with pytest.raises(TranslationError) as caught:
        ENS.write(message)
    assert {fault.code for fault in caught.value.faults} == {"missing"}
    return {fault.pointer for fault in caught.value.faults}


@pytest.mark.parametrize("content", [content for content, _ in ANSWERS] + [HELD])
def test_an_answer_that_was_read_is_written_as_it_was_and_reads_the_same(content: bytes) -> None:
    message = read_one(content)
    written = ENS.write(message)
    assert etree.fromstring(written).tag == etree.fromstring(content).tag
    assert check(Document(written)) == []
    assert body(read_one(written)) == body(message)
    assert ENS.write(message) == written


def test_an_answer_names_sender_recipient_and_itself() -> None:
    message = read_one(HELD)
    root = etree.fromstring(ENS.write(message))
    told = {name: root.findtext(name) for name in ("MesSenMES3", "MesRecMES6", "DatOfPreMES9", "TimOfPreMES10")}
    assert told == {
        "MesSenMES3": "KRPUS001",
        "MesRecMES6": "GB12345",
        "DatOfPreMES9": "260301",
        "TimOfPreMES10": "0915",
    }
    assert re.fullmatch("[0-9A-F]{14}", root.findtext("MesIdeMES19") or "")


def test_what_no_field_holds_is_named_and_never_made_up() -> None:
    held = read_one(HELD)
    assert missing(altered(held, decision=decided(reason="stop it"))) == {
        "/CC351A/HEAHEA/DecRegDatTimHEA115", "/CC351A/HEAHEA/DecSubDatTimHEA118",
    }  # fmt: skip
    assert missing(altered(held, parties=None)) == {"/CC351A/MesRecMES6", "/CC351A/PERLODSUMDEC/TINPLD1"}
    assert missing(altered(held, identifiers=[{"scheme": "container", "value": "CBMU2046175"}])) == {
        "/CC351A/HEAHEA/RefNumHEA4", "/CC351A/HEAHEA/DocNumHEA5",
    }  # fmt: skip
    nowhere = altered(held, decision=decided(authority="the office"), place=None)
    assert missing(nowhere) == {"/CC351A/CUSOFFFENT730/RefNumCUSOFFFENT731"}
    assert missing(altered(held, occurred="0987-01-01T00:00:00Z")) == {"/CC351A/HEAHEA/NotDatTimHEA104"}


def test_what_is_no_decision_has_no_words() -> None:
    held = read_one(HELD)
    for message in (read_one(NEW), altered(held, type="shipment.released"), altered(held, classifier="planned")):
        with pytest.raises(TranslationError) as caught:
            ENS.write(message)
        assert [fault.code for fault in caught.value.faults] == ["no-words"]


@pytest.mark.parametrize(
    ("event", "outcome"),
    [("held", "embargo"), ("selected-for-scan", "x-ray"), ("selected-for-inspection", "control")],
)
def test_an_intervention_that_no_code_tells_goes_out_in_words_and_comes_back(event: str, outcome: str) -> None:
    message = altered(read_one(HELD), type=f"shipment.{event}", decision=decided(outcome, f"B7: open it\n{REGISTERED}"))
    written = ENS.write(message)
    assert [one.text or "" for one in etree.fromstring(written).iter("CusIntCodCUSINT665")] == ["", "B7"]
    assert body(read_one(written)) == body(message)


def test_a_nations_profile_says_what_its_interventions_mean() -> None:
    meaning = {"event": "shipment.selected-for-scan", "outcome": "scan"}
    nation = Profile("kr", "a nation", "1", NEUTRAL, {"ens": {"intervention": {"A001": meaning}}})
    origin = Origin(ORIGIN.agency, ORIGIN.received, ORIGIN.zone, nation)
    (message,) = messages(ENS, Document(HELD), origin)
    assert (message.type, body(message)["decision"]["outcome"]) == ("shipment.selected-for-scan", "scan")
    coded = altered(read_one(HELD), type=message.type, decision=decided("scan"))
    assert b"<CusIntCodCUSINT665>A001<" in ENS.write(coded, nation)
    assert messages(ENS, Document(ENS.write(coded, nation)), origin)[0].type == "shipment.selected-for-scan"


def test_an_intervention_of_unknown_code_holds_the_goods_whatever_stands_beside_it() -> None:
    meaning = {"event": "shipment.selected-for-scan", "outcome": "scan"}
    nation = Profile("kr", "a nation", "1", NEUTRAL, {"ens": {"intervention": {"A001": meaning}}})
    both = HELD.replace(intervention("A001").encode(), (intervention("A001") + intervention("B7")).encode())
    (message,) = messages(ENS, Document(both), Origin(ORIGIN.agency, ORIGIN.received, ORIGIN.zone, nation))
    assert message.type == "shipment.held"


def test_the_containers_and_documents_are_told_only_where_one_item_can_have_them() -> None:
    told = read_one(NEW)
    fields = {name: body(told)[name] for name in ("identifiers", "goods", "documents")}
    fields["identifiers"].append({"scheme": "mrn", "value": "26KR1A2B3C4D5E6F75"})
    one = ENS.write(altered(read_one(HELD), decision=decided(), **fields))
    assert [field.text for field in etree.fromstring(one).iter("ConNumNR21", "DocRefDC23")] == [
        "BL 1", "PC-1", "INV-1", "CBMU2046175",
    ]  # fmt: skip
    for more in ({"goods": fields["goods"] * 2}, {"decision": decided(item=1)}):
        several = ENS.write(altered(read_one(HELD), **({"decision": decided()} | fields | more)))
        assert b"ConNumNR21" not in several


# Rejections.


def rejections(content: bytes, origin: Origin = BRITISH) -> list[Any]:
    return messages(Rejections(), Document(content), origin)


def test_a_declaration_with_faults_is_rejected_with_every_one_of_their_numbers() -> None:
    content = changed(SEA)
    assert numbers(content)
    (message,) = rejections(content)
    assert (message.type, message.data.decision.automatic) == ("shipment.rejected", True)
    root = etree.fromstring(ENS.write(message))
    assert etree.QName(root).localname == "CC316A"
    assert sorted(f"ens-{error.text}" for error in root.iter("ErrReaER13")) == numbers(content)
    assert root.findtext("HEAHEA/RefNumHEA4") == "ENS-26-1"
    assert root.findtext("MesRecMES6") == "GB12345/1234567890"
    assert root.findtext("CorIdeMES25") == "ENS1"
    assert {error.text for error in root.iter("ErrTypER11")} <= {"12", "13", "15"}


def test_an_authority_without_numbers_of_its_own_tells_the_conditions_of_the_ics() -> None:
    (message,) = rejections(changed(SEA), ORIGIN)
    told = {error.text for error in etree.fromstring(ENS.write(message)).iter("ErrReaER13")}
    assert told == {"C017", "C020", "C514"}


def test_a_missing_or_a_superfluous_element_says_so_by_its_error_type() -> None:
    (message,) = rejections(changed(("<TINPLD1>GB12345</TINPLD1>", "<NamPLD1>X</NamPLD1><XYZ/>")))
    lines = message.data.decision.reason.splitlines()
    assert lines[0].startswith("15 - /CC315A/PERLODSUMDEC/XYZ")
    (nameless,) = rejections(changed(("<TINCE159>GB777</TINCE159>", "<TINCE159>KR777</TINCE159>")))
    assert {line[:7] for line in nameless.data.decision.reason.splitlines()} == {
        "13 8225", "13 8226", "13 8227", "13 8228", "13 8229",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("edits", "line"),
    [
        ([(SEAL, SEAL * 10_000)], "35 8617 /CC315A"),
        ([CONSIGNOR, CONSIGNOR_OF_ITEM], "15 8119 /CC315A/TRACONCO1"),
        ([("<PACGS2>", "<!--"), ("</PACGS2>", "-->")], "13 8688 /CC315A"),
        ([("<TraModAtBorHEA76>2<", "<TraModAtBorHEA76>02<")], "12 8690 /CC315A/HEAHEA"),
    ],
)
def test_the_error_type_says_whether_there_is_too_much_too_little_or_something_else(
    edits: list[tuple[str, str]], line: str
) -> None:
    (message,) = rejections(changed(*edits))
    assert line in message.data.decision.reason.splitlines()


def test_an_amendment_is_rejected_as_one_with_its_own_moment() -> None:
    (message,) = rejections(changed(SEA, base=AMENDED))
    root = etree.fromstring(ENS.write(message))
    assert etree.QName(root).localname == "CC305A"
    assert root.findtext("HEAHEA/DatTimAmeHEA113") == "202603010910"
    assert root.findtext("HEAHEA/DocNumHEA5") == "26KR1A2B3C4D5E6F75"


def test_a_declaration_without_faults_is_not_rejected_and_an_answer_never() -> None:
    assert rejections(NEW.encode()) == []
    assert rejections(answer("CC316A", REFERENCE, ERRORS)) == []


def test_the_rejection_is_another_message_than_the_declaration() -> None:
    content = changed(SEA)
    (message,) = rejections(content)
    declared = read_one(content, BRITISH)
    assert message.id != declared.id
    assert message.subject == declared.subject


def test_the_command_writes_the_rejections_or_says_why_it_cannot(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "declaration.xml"
    file.write_bytes(changed(SEA))
    assert main([str(file), "--as", "kr.border", "--zone", "Asia/Seoul"]) == 0
    assert "<ErrReaER13>C017<" in capsys.readouterr().out
    assert main([str(file), "--as", "gb.customs", "--profile", "uk"]) == 0
    assert "<ErrReaER13>8107<" in capsys.readouterr().out
    file.write_bytes(b"<note/>")
    assert main([str(file), "--as", "kr.border"]) == 4
    assert "not-ens" in capsys.readouterr().err


# Whatever comes.

words = st.text(max_size=30) | st.sampled_from(["A1: b", "12 R1 /x", "DatTimAmeHEA113: 202601010000", "held: x"])


@st.composite
def decisions(draw: st.DrawFn) -> Any:
    """An answer read from a document, with its body changed in any way that the wire takes."""
    message = read_one(draw(st.sampled_from([content for content, _ in ANSWERS] + [HELD])))
    told = body(message)
    reason = "\n".join([*(told["decision"].get("reason", "")).splitlines(), *draw(st.lists(words, max_size=4))])
    decision = {**told["decision"], **({"reason": reason} if reason else {})}
    type_ = draw(st.sampled_from([message.type, "shipment.selected-for-scan", "shipment.held"]))
    if draw(st.booleans()):
        decision["outcome"] = draw(st.sampled_from(["rejected", "held", "x-ray", "accepted"]))
    party = {"role": "agent", "id": "GB1", "name": draw(words) or "x", "address": draw(words) or "x"}
    parties = told.get("parties", []) + ([party] if draw(st.booleans()) else [])
    when = draw(st.sampled_from(["2026-03-01T09:14:30.25+05:45", told["occurred"]]))
    return altered(message, type=type_, decision=decision, parties=parties, occurred=when)


@settings(max_examples=80, deadline=None)
@given(decisions())
def test_a_written_answer_has_the_form_of_its_schema_and_reads_back_as_what_it_tells(message: Any) -> None:
    try:
        written = ENS.write(message)
    except TranslationError:
        return
    assert check(Document(written)) == []
    found = read(written)
    assert message.type in {one.type for one in found}
    for one in found:
        assert parse(one.to_bytes()) == one
        assert isinstance(one.time, datetime)
    if len(found) == 1:
        assert body(read(ENS.write(found[0]))[0]) == body(found[0])
