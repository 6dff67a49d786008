"""SPS certificates in, acknowledgements out and in: what a quarantine officer must be able to rely on."""

import base64
import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.document import Document, Origin
from adapters.profile import NEUTRAL, Profile
from adapters.sps import TRANSLATORS
from adapters.translator import messages
from schemas import Message, build
from schemas.envelope import parse
from schemas.errors import TranslationError

CERTIFICATE, ACKNOWLEDGEMENT = TRANSLATORS
ORIGIN = Origin("kr.quarantine", datetime(2026, 3, 2, tzinfo=UTC), ZoneInfo("Asia/Seoul"))
EXAMPLE = Path(__file__).parents[2] / "examples/seaport/documents/kr.quarantine/sps-phytosanitary-plants.xml"

SPACES = (
    'xmlns="urn:un:unece:uncefact:data:standard:SPSCertificate:17" '
    'xmlns:r="urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:21" '
    'xmlns:u="urn:un:unece:uncefact:data:standard:UnqualifiedDataType:21"'
)


def part(name: str, *inner: str) -> str:
    return f"<r:{name}>{''.join(inner)}</r:{name}>"


LINE = part("IncludedSPSConsignmentItem", part("IncludedSPSTradeLineItem", "{}"))


def certificate(header: str = "", consignment: str = "", **changes: str) -> str:
    fields = {"ID": "KE-7/26", "TypeCode": "851", "StatusCode": "70"} | changes
    issued = fields.pop("issued", "<u:DateTimeString>2026-02-20T10:00:00+03:00</u:DateTimeString>")
    text = "".join(f"<r:{name}>{value}</r:{name}>" for name, value in fields.items())
    return (
        f"<SPSCertificate {SPACES}><SPSExchangedDocument>{text}<r:IssueDateTime>{issued}</r:IssueDateTime>{header}"
        f"</SPSExchangedDocument><SPSConsignment>{consignment}</SPSConsignment></SPSCertificate>"
    )


def read(content: str | bytes, translator: Any = CERTIFICATE) -> list[Message]:
    return messages(translator, Document(content if isinstance(content, bytes) else content.encode()), ORIGIN)


def read_one(content: str | bytes, translator: Any = CERTIFICATE) -> Any:
    (message,) = read(content, translator)
    return message


def warnings(message: Any) -> set[str]:
    return {warning.code for warning in message.data.native.warnings or []}


def refusal(content: str | bytes, translator: Any = CERTIFICATE) -> list[str]:
    with pytest.raises(TranslationError) as caught:
        read(content, translator)
    return [fault.code for fault in caught.value.faults]


def identifiers(message: Any) -> list[tuple[str, str, str | None]]:
    return [(one.scheme, one.value, one.issuer) for one in message.data.identifiers]


def test_the_example_certificate_tells_all_that_a_broker_needs_without_a_warning() -> None:
    message = read_one(EXAMPLE.read_bytes())
    assert (message.type, message.subject) == ("shipment.declared", "6KR1208814-PLANTS-0417")
    assert identifiers(message) == [
        ("certificate", "TH-PQ-2026-009881", "Plant Protection Service of Thailand"),
        ("transport-document", "CBMLCH2600417", None),
        ("ucr", "6KR1208814-PLANTS-0417", None),
        ("container", "CBMU2046175", None),
        ("seal", "THS0041877", None),
    ]
    first, second = message.data.goods
    assert (first.hs, first.origin, first.gross_mass_kg, first.packages) == ("060290", "TH", 5120.5, 320)
    assert "Phalaenopsis amabilis" in first.description
    assert second.gross_mass_kg == 2300
    assert (message.data.place.locode, message.data.transport.mode) == ("KRPUS", "1")
    assert {party.role: party.id for party in message.data.parties} == {"consignor": None, "consignee": "KR1208814"}
    assert message.data.equipment[0].seals == ["THS0041877"]
    assert message.data.documents[0].type == "851"
    assert message.data.native.warnings is None
    assert parse(message.to_bytes()) == message


def test_a_nations_own_codes_are_read_and_written() -> None:
    sections = {
        "status": {"70": {"event": "shipment.declared", "outcome": "draft", "classifier": "planned"}},
        "answer": {"shipment.released": "700"},
        "document": {"K1": "certificate"},
        "relation": {"KUC": "ucr"},
    }
    own = Profile("kr", "", "1", NEUTRAL, {"sps": sections})
    papers = [("A1", "K1", "ZZZ"), ("B2", "380", "KUC")]
    references = "".join(
        part(
            "ReferenceSPSReferencedDocument",
            part("TypeCode", kind),
            part("RelationshipTypeCode", relation),
            part("ID", id_),
        )
        for id_, kind, relation in papers
    )
    content = certificate(header=references)
    (message,) = messages(CERTIFICATE, Document(content.encode()), replace(ORIGIN, profile=own))
    assert (message.data.classifier, message.data.decision.outcome) == ("planned", "draft")
    assert [one[:2] for one in identifiers(message)][1:] == [("certificate", "A1"), ("ucr", "B2")]
    assert [one[0] for one in identifiers(read_one(content))][1:] == ["other", "other"]
    released = build(**message.model_dump(exclude_none=True) | {"type": "shipment.released"})
    written = ACKNOWLEDGEMENT.write(released, own)
    assert b"StatusCode>700<" in written
    (again,) = messages(ACKNOWLEDGEMENT, Document(written), replace(ORIGIN, profile=own))
    assert again.type == "shipment.released"
    assert refusal(written, ACKNOWLEDGEMENT) == ["status"]


@pytest.mark.parametrize(
    ("code", "event", "outcome"),
    [
        ("70", "declared", "issued"),
        ("39", "declared", "approved"),
        ("44", "amended", "replaced"),
        ("40", "withdrawn", "withdrawn"),
        ("64", "withdrawn", "cancelled"),
        ("74", "withdrawn", "expired"),
        ("41", "rejected", "rejected"),
    ],
)
def test_a_status_of_un_cefact_says_what_became_of_the_certificate(code: str, event: str, outcome: str) -> None:
    message = read_one(certificate(StatusCode=code))
    assert (message.type, message.data.decision.outcome) == (f"shipment.{event}", outcome)
    assert message.data.classifier is None


def test_a_certificate_that_is_still_a_draft_is_only_planned() -> None:
    message = read_one(certificate(StatusCode="47"))
    assert (message.type, message.data.classifier) == ("shipment.declared", "planned")
    assert "not-in-force" in warnings(message)


@pytest.mark.parametrize("code", ["", "999", "issued", "-70"])
def test_an_unknown_status_claims_nothing(code: str) -> None:
    message = read_one(certificate(StatusCode=code))
    assert (message.type, message.data.decision) == ("shipment.declared", None)
    assert "status" in warnings(message)


def test_the_border_posts_conclusion_in_an_entry_document_is_an_inspection_and_never_a_release() -> None:
    clause = part("IncludedSPSClause", part("ID", "DECISION_CONCLUSION"), part("Content", "NOT_ACCEPTABLE"))
    header = part("SignatorySPSAuthentication", clause)
    message = read_one(certificate(header, TypeCode="636"))
    assert (message.type, message.data.decision.outcome) == ("shipment.inspected", "not-acceptable")


@pytest.mark.parametrize(
    ("issued", "moment", "assumed"),
    [
        ("<u:DateTimeString>2026-02-20T10:00:00Z</u:DateTimeString>", "2026-02-20T10:00:00+00:00", None),
        ("<u:DateTime>2026-02-20T10:00:00+03:00</u:DateTime>", "2026-02-20T10:00:00+03:00", None),
        ("2026-02-20", "2026-02-20T00:00:00+09:00", True),
        ("<u:DateTimeString>soon</u:DateTimeString>", "2026-03-02T00:00:00+00:00", None),
        ("", "2026-03-02T00:00:00+00:00", None),
    ],
)
def test_the_time_of_issue_is_found_wherever_dialects_put_it(issued: str, moment: str, assumed: bool | None) -> None:
    message = read_one(certificate(issued=issued))
    assert message.time == message.data.occurred == datetime.fromisoformat(moment)
    assert message.data.zone_assumed is assumed


def test_attachments_are_never_carried_and_their_papers_are() -> None:
    reference = (
        "<r:ReferenceSPSReferencedDocument><r:TypeCode>657</r:TypeCode><r:ID>NL-55</r:ID>"
        "<r:AttachmentBinaryObject filename='a.pdf'>UEsDBAoAAAAAA</r:AttachmentBinaryObject>"
        "</r:ReferenceSPSReferencedDocument>"
    )
    message = read_one(certificate(reference))
    assert ("certificate", "NL-55", None) in identifiers(message)
    assert "UEsDBAoAAAAAA" not in message.model_dump_json()
    assert "attachment-not-carried" in warnings(message)
    assert [paper.type for paper in message.data.documents] == ["851", "657"]


def test_an_attachment_is_known_by_the_fingerprint_of_its_content() -> None:
    content = b"%PDF-1.3 a phytosanitary paper"
    reference = (
        "<r:ReferenceSPSReferencedDocument><r:TypeCode>657</r:TypeCode><r:AttachmentBinaryObject>"
        f"{base64.encodebytes(content).decode()}</r:AttachmentBinaryObject></r:ReferenceSPSReferencedDocument>"
    )
    message = read_one(certificate(reference))
    fingerprint = f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert [(paper.type, paper.id) for paper in message.data.documents][1:] == [("attachment", fingerprint)]
    assert fingerprint.upper() not in [value for _, value, _ in identifiers(message)]


HUB = "http://ephyto.ippc.int/"


def enveloped(name: str, content: str, number: str = "KE-7/26", **more: str) -> str:
    """Return an envelope of the IPPC hub, as its service description has it."""
    told = {"From": "KE", "To": "KR", "CertificateType": "851", "CertificateStatus": "70",
            "NPPOCertificateNumber": number, "hubDeliveryNumber": "H-55"} | more  # fmt: skip
    header = "".join(f"<{field}>{value}</{field}>" for field, value in told.items())
    return f'<{name} xmlns="{HUB}HUB.Entities">{header}{content}</{name}>'


def called(operation: str, content: str) -> str:
    """Return a call of the hub's service, or its answer."""
    body = f'<{operation} xmlns="{HUB}">{content}</{operation}>'
    return f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>{body}</s:Body></s:Envelope>'


def test_what_the_hub_wraps_around_a_certificate_is_taken_off() -> None:
    escaped = f"<Content>{escape(certificate())}</Content>"
    phyto = enveloped("ePhytoEnvelope", certificate())
    calls = [
        called("DeliverEnvelope", enveloped("env", escaped)),
        called("ValidateAndDeliverEnvelope", enveloped("env", escaped)),
        called("DeliverPhytoEnvelope", phyto),
        called("PULLSingleImportEnvelopeResponse", enveloped("PULLSingleImportEnvelopeResult", escaped)),
        called("PULLImportEnvelopeResponse", f"<Result>{enveloped('Envelope', escaped)}</Result>"),
    ]  # fmt: skip
    alone = read_one(certificate())
    assert read_one(called("DeliverEnvelope", f"<env>{escaped}</env>")).data.goods == alone.data.goods
    for call in calls:
        assert CERTIFICATE.recognise(Document(call.encode())) == 0.9
        message = read_one(call)
        assert ("other", "H-55", "IPPC hub") in identifiers(message)
        assert [one for one in identifiers(message) if one[1] != "H-55"] == identifiers(alone)
        assert (message.subject, message.data.goods) == (alone.subject, alone.data.goods)
        assert warnings(message) == warnings(alone)


def test_an_envelope_that_says_other_than_its_certificate_is_warned_of() -> None:
    content = f"<Content>{escape(certificate())}</Content>"
    odd = read_one(called("DeliverEnvelope", enveloped("env", content, "KE-9/26", hubDeliveryErrorMessage="lost")))
    assert {"envelope", "delivery"} <= warnings(odd)
    assert odd.subject == "KE-7/26"


@pytest.mark.parametrize(
    "call",
    [
        called("AcknowledgeEnvelopeReceipt", "<hubTrackingNumber>H-55</hubTrackingNumber>"),
        called("PULLImportEnvelope", ""),
        called("DeliverEnvelopeResponse", enveloped("DeliverEnvelopeResult", "")),
    ],
)
def test_what_the_hub_says_of_deliveries_alone_is_refused_as_that(call: str) -> None:
    assert CERTIFICATE.recognise(Document(call.encode())) == 0.6
    assert refusal(call) == ["no-certificate"]


def test_a_countrys_response_is_an_acknowledgement_of_the_certificate_that_its_envelope_names() -> None:
    answer = ACKNOWLEDGEMENT.write(decision("released")).decode().partition("?>")[2]
    for content in (answer, f"<Content>{escape(answer)}</Content>"):
        call = called("DeliverCountryResponseEnvelope", enveloped("CountryResponseEnvelope", content))
        document = Document(call.encode())
        assert (ACKNOWLEDGEMENT.recognise(document), CERTIFICATE.recognise(document)) == (0.9, 0)
        (message,) = messages(ACKNOWLEDGEMENT, document, ORIGIN)
        assert message.type == "shipment.released"
        assert {("certificate", "KE-7/26", None), ("other", "H-55", "IPPC hub")} <= set(identifiers(message))


def test_a_re_export_names_the_certificate_it_rests_on() -> None:
    def note(subject: str, content: str) -> str:
        parts = f"<r:Subject>{subject}</r:Subject><r:Content>{content}</r:Content>"
        return f"<r:AdditionalInformationSPSNote>{parts}</r:AdditionalInformationSPSNote>"

    replaced = "<r:IncludedSPSNote><r:Subject>ADRPN</r:Subject><r:Content>KE-6/26</r:Content></r:IncludedSPSNote>"
    message = read_one(certificate(replaced, LINE.format(note("RPCRF", "ET-1") + note("RPCCO", "ET"))))
    assert ("certificate", "KE-6/26", None) in identifiers(message)
    assert ("certificate", "ET-1", "ET") in identifiers(message)


def test_containers_seals_and_equipment_are_told_apart() -> None:
    def equipment(number: str, seal: str = "") -> str:
        sealed = f"<r:AffixedSPSSeal><r:ID>{seal}</r:ID></r:AffixedSPSSeal>" if seal else ""
        return f"<r:UtilizedSPSTransportEquipment><r:ID>{number}</r:ID>{sealed}</r:UtilizedSPSTransportEquipment>"

    parts = [("CBMU2046175, CBMU3104281", "S1"), ("trailer 12", ""), ("", "S2"), ("CBMU2046176", "")]
    message = read_one(certificate(consignment="".join(equipment(*part) for part in parts)))
    assert [(scheme, value) for scheme, value, _ in identifiers(message)] == [
        ("certificate", "KE-7/26"),
        ("container", "CBMU2046175"),
        ("container", "CBMU3104281"),
        ("seal", "S1"),
        ("equipment", "TRAILER12"),
        ("seal", "S2"),
        ("container", "CBMU2046176"),
    ]
    assert "container-number" in warnings(message)


@pytest.mark.parametrize(
    ("unit", "given", "kilograms"),
    [("KGM", "60", 60.0), ("TNE", "1.5", 1500.0), ("GRM", "250", 0.25), ("MTQ", "5", None), ("KGM", "-1", None),
     ("", "5", None), ("KGM", "1e999", None)],
)  # fmt: skip
def test_masses_come_out_in_kilograms_or_not_at_all(unit: str, given: str, kilograms: float | None) -> None:
    line = f"<r:GrossWeightMeasure unitCode='{unit}'>{given}</r:GrossWeightMeasure>"
    assert read_one(certificate(consignment=LINE.format(line))).data.goods[0].gross_mass_kg == kilograms


def test_what_does_not_fit_is_dropped_with_a_warning_and_the_rest_is_read() -> None:
    classes = [("HS", "10.05-X"), ("EPPO", "ZEAMX")]
    line = part("SequenceNumeric", "one") + part("Description", "Maize seed")
    for system, code in classes:
        line += part("ApplicableSPSClassification", part("SystemName", system), part("ClassCode", code))
    line += part("PhysicalSPSPackage", part("LevelCode", "1"), part("ItemQuantity", "2.5"))
    line += part("OriginSPSCountry", part("ID", "ZZ")) + part("OriginSPSCountry", part("ID", "ke"))
    port = "<r:UnloadingBaseportSPSLocation><r:ID>harbour</r:ID><r:Name>Busan</r:Name></r:UnloadingBaseportSPSLocation>"
    mode = "<r:MainCarriageSPSTransportMovement><r:ModeCode>sea</r:ModeCode></r:MainCarriageSPSTransportMovement>"
    message = read_one(certificate(consignment=port + mode + LINE.format(line)))
    (goods,) = message.data.goods
    assert (goods.hs, goods.item, goods.packages, goods.origin) == (None, None, None, "KE")
    assert goods.description == "Maize seed; EPPO: ZEAMX"
    assert (message.data.place.locode, message.data.place.name, message.data.transport) == (None, "Busan", None)
    assert {"hs-form", "count", "country", "locode-form", "mode"} <= warnings(message)


@pytest.mark.parametrize("namespace", ["urn:un:unece:uncefact:data:standard:SPSCertificate:8", "urn:elsewhere", ""])
def test_other_versions_and_namespaces_are_read_by_element_names(namespace: str) -> None:
    content = certificate().replace("urn:un:unece:uncefact:data:standard:SPSCertificate:17", namespace)
    assert CERTIFICATE.recognise(Document(content.encode())) >= 0.8
    message = read_one(content)
    assert message.subject == "KE-7/26"
    assert ("version" in warnings(message)) is (not namespace.endswith(":8"))


def test_certificates_in_envelopes_are_found_also_as_escaped_text() -> None:
    soap = '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>{}</s:Body></s:Envelope>'
    assert read_one(soap.format(certificate())).subject == "KE-7/26"
    inner = "<Envelope><From>KE</From><Content>{}</Content></Envelope>"
    declared = '<?xml version="1.0" encoding="UTF-16"?>' + certificate(ID="KE-8/26")
    hub = "<Result>" + inner.format(escape(certificate())) + inner.format(escape(declared)) + "</Result>"
    assert CERTIFICATE.recognise(Document(hub.encode())) == 0.9
    assert [message.subject for message in read(hub)] == ["KE-7/26", "KE-8/26"]
    assert refusal("<Result>" + inner.format("&lt;SPSCertificate>") + "</Result>") == ["not-well-formed"]


def test_a_document_that_refers_to_nothing_is_refused_with_every_fault() -> None:
    nameless = certificate(ID="")
    assert refusal(nameless) == ["no-identifier"]
    headless = f"<SPSCertificate {SPACES}/>"
    assert refusal(f"<x>{nameless}{headless}</x>") == ["no-identifier", "missing"]
    assert refusal("<x/>") == ["no-certificate"]


def test_faults_and_warnings_never_repeat_what_the_certificate_says() -> None:
    secret = "Zephyrine"
    line = f"<r:GrossWeightMeasure unitCode='{secret}'>{secret}</r:GrossWeightMeasure>" + part("Description", secret)
    party = f"<r:ConsignorSPSParty><r:Name>{secret * 90}</r:Name></r:ConsignorSPSParty>"
    message = read_one(certificate(consignment=party + LINE.format(line), StatusCode=secret, issued=secret))
    assert warnings(message) >= {"mass", "status", "time-form", "cut"}
    assert secret not in str(message.data.native)


def test_a_flood_of_elements_ends_soon() -> None:
    flood = part("IncludedSPSTradeLineItem", part("OriginSPSCountry", part("ID", "QZZ")))
    read(certificate(consignment=part("IncludedSPSConsignmentItem", flood * 20_000)))
    assert "too-many" in refusal("<x>" + certificate() * 600 + "</x>")


def decision(type_: str, **changes: Any) -> Any:
    data = {
        "identifiers": [
            {"scheme": "certificate", "value": "TH-PQ-2026-009881"},
            {"scheme": "ucr", "value": "6KR1208814-PLANTS-0417"},
            {"scheme": "mrn", "value": "26KR0001"},
            {"scheme": "container", "value": "CBMU2046175"},
            {"scheme": "seal", "value": "THS0041877"},
        ],
        "occurred": "2026-03-04T10:00:00+09:00",
        "decision": {"authority": "kr.customs", "outcome": type_, "reason": "Number: 7\nof 9"},
    } | changes
    return build(
        specversion="1.0", id="m-1", source="kr.customs", type=f"shipment.{type_}", subject="6KR1208814-PLANTS-0417",
        time=datetime(2026, 3, 4, tzinfo=UTC), datacontenttype="application/json", dataschema="urn:cbm:shipment:1",
        data=data,
    )  # fmt: skip


DECISIONS = ["released", "held", "refused", "inspected", "documents-required", "rejected", "selected-for-scan",
             "selected-for-inspection"]  # fmt: skip


@pytest.mark.parametrize("type_", DECISIONS)
def test_a_decision_written_as_acknowledgement_reads_as_the_same_decision(type_: str) -> None:
    message = decision(type_)
    content = ACKNOWLEDGEMENT.write(message)
    assert content == ACKNOWLEDGEMENT.write(message)
    assert ACKNOWLEDGEMENT.recognise(Document(content)) == 1
    again = read_one(content, ACKNOWLEDGEMENT)
    assert (again.type, again.subject, again.data.occurred) == (message.type, message.subject, message.data.occurred)
    assert again.data.decision == message.data.decision
    assert [pair[:2] for pair in identifiers(again)] == [pair[:2] for pair in identifiers(message)]


def test_what_decides_nothing_is_no_acknowledgement() -> None:
    with pytest.raises(TranslationError):
        ACKNOWLEDGEMENT.write(decision("declared"))
    with pytest.raises(TranslationError):
        CERTIFICATE.write(decision("released"))


@pytest.mark.parametrize("code", ["70", "", "40000000000", "yes"])
def test_a_status_that_names_no_decision_is_refused_and_never_taken_for_a_release(code: str) -> None:
    content = ACKNOWLEDGEMENT.write(decision("released")).replace(b">39<", f">{code}<".encode())
    assert refusal(content, ACKNOWLEDGEMENT) == ["status"]


def test_a_reason_that_contradicts_the_status_does_not_change_it() -> None:
    content = ACKNOWLEDGEMENT.write(decision("held")).replace(b">held by", b">released by")
    assert read_one(content, ACKNOWLEDGEMENT).type == "shipment.held"


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_damaged_bytes_are_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    translator = data.draw(st.sampled_from(TRANSLATORS))
    content = bytearray(EXAMPLE.read_bytes() if translator is CERTIFICATE else ACKNOWLEDGEMENT.write(decision("held")))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content)))
        content[place : place + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=6))
    assert 0 <= translator.recognise(Document(bytes(content))) <= 1
    try:
        messages(translator, Document(bytes(content)), ORIGIN)
    except TranslationError as error:
        assert error.faults  # noqa: PT017 (either outcome is right)


_NAMES = st.sampled_from(
    """
    SPSExchangedDocument SPSConsignment ID TypeCode StatusCode IssueDateTime DateTimeString IssuerSPSParty Name
    IncludedSPSNote Subject Content ReferenceSPSReferencedDocument RelationshipTypeCode ConsignorSPSParty
    SpecifiedSPSAddress LineOne CountryID UtilizedSPSTransportEquipment AffixedSPSSeal ImportSPSCountry
    UnloadingBaseportSPSLocation MainCarriageSPSTransportMovement ModeCode UsedSPSTransportMeans
    IncludedSPSConsignmentItem IncludedSPSTradeLineItem SequenceNumeric Description ApplicableSPSClassification
    SystemName ClassCode PhysicalSPSPackage LevelCode ItemQuantity OriginSPSCountry SPSAcknowledgementDocument
    ReasonInformation ÄSPSParty SPSParty SignatorySPSAuthentication IncludedSPSClause
    """.split()  # noqa: SIM905
)
_TEXTS = st.sampled_from(
    ["", " ", "x", "70", "39", "HS", "0101", "KR", "KRPUS", "1", "AAQ", "UCN", "ADRPN", "RPCRF", "CBMU2046175",
     "9" * 600, "0001-01-01T00:00:00+14:00", "1897-01-01", "DECISION_CONCLUSION", "١", "²", "1.0",
     "&lt;SPSCertificate/>", "held by : "]
)  # fmt: skip
_TREES = st.recursive(
    st.builds("<{0}>{1}</{0}>".format, _NAMES, _TEXTS),
    lambda inner: st.builds(
        lambda name, parts: f"<{name}>{''.join(parts)}</{name}>", _NAMES, st.lists(inner, max_size=5)
    ),
    max_leaves=30,
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_TREES, max_size=5), st.sampled_from(["SPSCertificate", "SPSAcknowledgement", "Envelope"]))
def test_elements_in_any_disorder_are_read_or_refused_and_nothing_else(parts: list[str], root: str) -> None:
    header = "<SPSExchangedDocument><ID>x</ID></SPSExchangedDocument>" if len(parts) % 2 else ""
    document = f"<{root}>{header}{''.join(parts)}</{root}>".encode()
    for translator in TRANSLATORS:
        try:
            found = messages(translator, Document(document), ORIGIN)
        except TranslationError as error:
            assert error.faults  # noqa: PT017
        else:
            assert all(parse(message.to_bytes()) == message for message in found)


def test_other_documents_are_not_taken_for_certificates() -> None:
    for content in (b"", b"UNA:+.? '", b"{}", b"<Declaration/>", b"<alert/>", b"SPSCertificate SPSAcknowledgement"):
        for translator in TRANSLATORS:
            assert translator.recognise(Document(content)) == 0


def test_a_tariff_code_is_known_by_the_id_of_its_system_or_by_its_name() -> None:
    def line(system: str, name: str) -> str:
        said = part("SystemID", system) + part("SystemName", name) + part("ClassCode", "0102")
        return LINE.format(part("ApplicableSPSClassification", said, part("ClassName", "LIVE ANIMALS")))

    for system, name in (("CN", "CN Code (Combined Nomenclature)"), ("99", "HS Code"), ("CN", "")):
        (goods,) = read_one(certificate(consignment=line(system, name))).data.goods
        assert (goods.hs, goods.description) == ("0102", "LIVE ANIMALS")


def test_the_totals_of_a_consignment_are_no_goods_beside_its_lines() -> None:
    def line(number: int) -> str:
        said = part("SequenceNumeric", str(number)) + part("Description", f"line {number}")
        return part("IncludedSPSTradeLineItem", said)

    lines = [line(number) for number in range(3)]
    message = read_one(certificate(consignment=part("IncludedSPSConsignmentItem", *lines)))
    assert [goods.item for goods in message.data.goods] == [1, 2]
    class_ = part("ApplicableSPSClassification", part("SystemID", "CN"), part("ClassCode", "0102"))
    lines[0] = part("IncludedSPSTradeLineItem", part("SequenceNumeric", "0"), part("Description", "line 0"), class_)
    counted = read_one(certificate(consignment=part("IncludedSPSConsignmentItem", *lines)))
    assert [goods.item for goods in counted.data.goods] == [0, 1, 2]
    alone = read_one(certificate(consignment=part("IncludedSPSConsignmentItem", lines[0])))
    assert alone.data.goods[0].description == "line 0"


@pytest.mark.parametrize(
    ("code", "locode", "facility"),
    [
        ("ESMAD4", "ESMAD", "ESMAD4"),
        ("NLRTM1P", "NLRTM", "NLRTM1P"),
        ("ESMAD", "ESMAD", None),
        ("BCP-7", None, "BCP-7"),
    ],
)
def test_a_border_control_post_tells_its_place(code: str, locode: str | None, facility: str | None) -> None:
    port = part("UnloadingBaseportSPSLocation", part("ID", code))
    message = read_one(certificate(consignment=port))
    assert (message.data.place.locode, message.data.place.facility) == (locode, facility)
    assert ("locode-form" in warnings(message)) == (locode is None)


@pytest.mark.parametrize(
    ("kind", "means", "voyage", "reference"),
    [
        ("road_vehicle_registration_before_bcp", ("registration", "AB 12"), None, ("equipment", "AB12", None)),
        ("railway_wagon_number", ("wagon", "AB 12"), None, ("equipment", "AB12", None)),
        ("ship_imo_number", ("imo", "AB 12"), None, None),
        ("airplane_flight_number_before_bcp", None, "AB 12", None),
        ("", None, "AB 12", None),
    ],
)
def test_the_number_of_a_movement_is_what_its_scheme_says(
    kind: str, means: tuple[str, str] | None, voyage: str | None, reference: tuple[str, str, None] | None
) -> None:
    number = f'<r:ID schemeID="{kind}">AB 12</r:ID>'
    message = read_one(certificate(consignment=part("MainCarriageSPSTransportMovement", number)))
    found = message.data.transport
    assert (found.means and (found.means.scheme, found.means.value), found.voyage) == (means, voyage)
    assert (reference in identifiers(message)) == (reference is not None)


def test_an_attachment_of_megabytes_is_known_by_its_fingerprint() -> None:
    attached = bytes(range(256)) * 40_000
    inside = part("AttachmentBinaryObject", base64.b64encode(attached).decode())
    message = read_one(certificate(part("ReferenceSPSReferencedDocument", inside)))
    papers = [paper.id for paper in message.data.documents if paper.type == "attachment"]
    assert papers == [f"sha256:{hashlib.sha256(attached).hexdigest()}"]
    assert warnings(message) >= {"attachment-not-carried", "attachment-cut"}
    assert len(message.to_bytes()) < 4000
    inner = escape(certificate(part("ReferenceSPSReferencedDocument", inside)))
    enveloped = read_one(f"<DeliverEnvelope><env><Content>{inner}</Content></env></DeliverEnvelope>")
    assert enveloped.data.documents == message.data.documents
