"""CAP in and out: what an officer must be able to rely on."""

import base64
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.cap import MAX_ALERTS, TRANSLATORS
from adapters.document import Document, Origin
from adapters.translator import messages
from schemas import Message, build
from schemas.errors import TranslationError
from tests.alerts import AGENCIES, clean_alerts, wild_alerts

(CAP,) = TRANSLATORS
NS = "urn:oasis:names:tc:emergency:cap:1.2"
EXAMPLES = Path(__file__).parents[2] / "examples/seaport/documents"
ORIGIN = Origin("kr.border", datetime(2026, 3, 2, tzinfo=UTC), ZoneInfo("Asia/Seoul"))

INFO = """
<info>{language}<category>Health</category><event>{event}</event><urgency>Immediate</urgency>
<severity>Severe</severity><certainty>Observed</certainty>{more}</info>"""


def info(event: str = "Beetles in timber", language: str = "", more: str = "") -> str:
    tag = f"<language>{language}</language>" if language else ""
    return INFO.format(event=event, language=tag, more=more)


def alert(*infos: str, header: str = "", scope: str = "Public", **changes: str) -> bytes:
    fields = {
        "identifier": "KR-APQA-2026-0007",
        "sender": "plants@quarantine.example.kr",
        "sent": "2026-03-01T09:00:00+09:00",
        "status": "Actual",
        "msgType": "Alert",
        "scope": scope,
    } | changes
    text = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items() if value)
    return f'<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">{text}{header}{"".join(infos)}</alert>'.encode()


def read(content: bytes, origin: Origin = ORIGIN) -> list[Message]:
    return messages(CAP, Document(content), origin)


def read_one(content: bytes) -> Any:
    (message,) = read(content)
    return message


def warnings(message: Any) -> set[str]:
    return {warning.code for warning in message.data.native.warnings or []}


def refusal(content: bytes) -> TranslationError:
    with pytest.raises(TranslationError) as caught:
        read(content)
    return caught.value


def test_an_alert_keeps_caps_words_and_its_own_time() -> None:
    message = read_one(alert(info(more="<expires>2026-03-05T00:00:00+09:00</expires>")))
    assert (message.type, message.subject) == ("alert.issued", "KR-APQA-2026-0007")
    assert message.time == datetime.fromisoformat("2026-03-01T09:00:00+09:00")
    assert message.expires == message.data.expires == datetime.fromisoformat("2026-03-05T00:00:00+09:00")
    assert (message.data.severity, message.data.category) == ("Severe", ["Health"])
    assert message.data.sender == "plants@quarantine.example.kr"
    assert not message.data.native.warnings


@pytest.mark.parametrize(
    ("msg_type", "type_"),
    [("Update", "updated"), ("Cancel", "cancelled"), ("Ack", "acknowledged"), ("Error", "acknowledged")],
)
def test_each_message_type_of_cap_has_its_event_even_without_info(msg_type: str, type_: str) -> None:
    message = read_one(alert(msgType=msg_type, header="<references>a@b.kr,X1,2026-03-01T09:00:00+09:00</references>"))
    assert message.type == f"alert.{type_}"
    assert message.data.msg_type == msg_type
    assert message.data.references == ["a@b.kr,X1,2026-03-01T09:00:00+09:00"]


def test_the_same_event_in_two_languages_is_one_alert() -> None:
    message = read_one(alert(info("딱정벌레", "ko-KR"), info("Beetles", "en-US", "<headline>Stop it</headline>")))
    assert (message.data.language, message.data.event) == ("ko-KR", "딱정벌레")
    (translation,) = message.data.translations
    assert (translation.language, translation.event, translation.headline) == ("en-US", "Beetles", "Stop it")


def test_different_events_in_one_document_are_alerts_of_their_own_that_belong_together() -> None:
    first, second = read(alert(info("Beetles"), info("Rust fungus")))
    assert (first.subject, second.subject) == ("KR-APQA-2026-0007", "KR-APQA-2026-0007#2")
    assert first.correlationid == second.correlationid == "KR-APQA-2026-0007"
    assert first.id != second.id


def test_two_areas_in_two_languages_do_not_mix() -> None:
    def area(code: str) -> str:
        return f"<area><areaDesc>x</areaDesc><geocode><valueName>K</valueName><value>{code}</value></geocode></area>"

    first, second = read(
        alert(
            info("바람", "ko", area("1")),
            info("비", "ko", area("2")),
            info("Wind", "en", area("1")),
            info("Rain", "en", area("2")),
        )
    )
    assert (first.data.event, first.data.translations[0].event) == ("바람", "Wind")
    assert (second.data.event, second.data.translations[0].event) == ("비", "Rain")


@pytest.mark.parametrize(
    ("scope", "header", "tlp", "recipients"),
    [
        ("Public", "", "CLEAR", None),
        ("Restricted", "<restriction>for officers</restriction>", "AMBER+STRICT", None),
        ("Restricted", "<restriction>TLP:GREEN</restriction>", "GREEN", None),
        ("Restricted", "<code>TLP:AMBER</code>", "AMBER", None),
        ("Restricted", "<code>TLP:CLEAR</code>", "GREEN", None),
        ("Public", "<code>TLP:AMBER</code>", "AMBER", None),
        ("Private", "<addresses>kr.customs KR.BORDER</addresses>", "RED", "kr.border kr.customs"),
        ("Private", "<addresses>duty@customs.example</addresses>", "AMBER+STRICT", None),
        ("Private", "<addresses>kr.customs</addresses><code>TLP:GREEN</code>", "AMBER", "kr.customs"),
        ("Private", "<code>TLP:GREEN</code>", "AMBER", None),
        ("Private", "", "AMBER+STRICT", None),
        ("", "", "AMBER+STRICT", None),
    ],
)
def test_scope_and_restriction_become_the_marking_and_doubt_goes_to_the_stricter_side(
    scope: str, header: str, tlp: str, recipients: str | None
) -> None:
    message = read_one(alert(info(), scope=scope, header=header))
    assert (message.tlp, message.recipients) == (tlp, recipients)
    assert message.data.scope != "Public" or message.tlp == "CLEAR"


@pytest.mark.parametrize(("status", "test"), [("Actual", None), ("System", None), ("Test", True), ("exercise", True)])
def test_what_is_no_real_alert_is_marked_as_a_test(status: str, test: bool | None) -> None:
    assert read_one(alert(info(), status=status)).test is test


def test_parameters_that_name_a_consignment_become_identifiers() -> None:
    def parameter(name: str, value: str) -> str:
        return f"<parameter><valueName>{name}</valueName><value>{value}</value></parameter>"

    pairs = [
        ("Container Number", "MSKU6874333"), ("layer:KR:MRN", "26 kr 0001"), ("UCR", "6KR123-X"),
        ("cbm:certificate@NPPO of Thailand", "TH-9"), ("container", "TRAILER 12"), ("wind", "strong"),
    ]  # fmt: skip
    message = read_one(alert(info(more="".join(parameter(*pair) for pair in pairs))))
    assert [(one.scheme, one.value, one.issuer) for one in message.data.about] == [
        ("container", "MSKU6874333", None),
        ("mrn", "26KR0001", None),
        ("ucr", "6KR123-X", None),
        ("certificate", "TH-9", "NPPO of Thailand"),
        ("equipment", "TRAILER12", None),
    ]
    assert [pair.value_name for pair in message.data.parameters] == ["wind"]
    assert warnings(message) == {"container-number"}


def test_a_container_number_with_a_wrong_check_digit_is_kept_with_a_warning() -> None:
    parameter = "<parameter><valueName>container</valueName><value>MSKU6874334</value></parameter>"
    message = read_one(alert(info(more=parameter)))
    assert message.data.about[0].scheme == "container"
    assert warnings(message) == {"container-number"}


def test_a_geocode_un_locode_is_the_place() -> None:
    geocode = "<geocode><valueName>UN/LOCODE</valueName><value>KR PUS</value></geocode>"
    assert read_one(alert(info(more=f"<area><areaDesc>Busan</areaDesc>{geocode}</area>"))).data.place.locode == "KRPUS"


def test_an_identifier_with_what_may_not_stand_in_one_is_read_without() -> None:
    message = read_one(alert(info(), identifier="KR 7,\x9f8 &amp; 9, "))
    assert message.subject == "KR_7_8_9"
    assert "identifier-form" in warnings(message)


def test_a_time_without_zone_is_read_in_the_agencys_own() -> None:
    message = read_one(alert(info(), sent="2026-03-01T09:00:00"))
    assert message.time == datetime.fromisoformat("2026-03-01T09:00:00+09:00")
    assert message.data.zone_assumed is True


def test_an_alert_that_expired_before_it_was_sent_is_not_given_up_unseen() -> None:
    message = read_one(alert(info(more="<expires>2026-02-01T00:00:00+09:00</expires>")))
    assert message.expires is None
    assert message.data.expires is not None
    assert "expires-before-sent" in warnings(message)


def test_words_that_cap_does_not_know_are_read_as_unknown_and_said_so() -> None:
    content = alert(info()).replace(b"Severe", b"Dreadful").replace(b"Observed", b"Very Likely")
    message = read_one(content)
    assert (message.data.severity, message.data.certainty) == ("Unknown", "Likely")
    assert {"not-in-list", "spelling"} <= warnings(message)


def test_an_alert_without_info_still_reaches_somebody() -> None:
    message = read_one(alert())
    assert (message.type, message.data.severity, message.data.category) == ("alert.issued", "Unknown", ["Other"])


def test_resources_and_signatures_stay_with_the_native_document_and_it_is_said() -> None:
    signature = '<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignedInfo/></Signature>'
    resource = "<resource><resourceDesc>photo</resourceDesc><mimeType>image/png</mimeType></resource>"
    message = read_one(alert(info(more=resource), signature))
    assert warnings(message) == {"signature-not-carried", "resource-not-carried"}


def test_stray_commas_in_a_polygon_are_repaired_and_an_illegible_one_is_dropped() -> None:
    area = (
        "<area><areaDesc>x</areaDesc><polygon>+35.1,129.0, +35.2,129.1, 35.0,129.2 +35.1,129.0</polygon>"
        "<polygon>north of the harbour</polygon><circle>35.1,129.0 2.5</circle></area>"
    )
    message = read_one(alert(info(more=area)))
    assert message.data.areas[0].polygon == ["+35.1,129.0 +35.2,129.1 35.0,129.2 +35.1,129.0"]
    assert message.data.areas[0].circle == ["35.1,129.0 2.5"]


@pytest.mark.parametrize(
    "namespace",
    [
        "urn:oasis:names:tc:emergency:cap:1.1",
        "urn:oasis:names:tc:emergency:cap:alerts:1.2",
        "http://www.incident.com/cap/1.0",
        "",
    ],
)
def test_older_and_wrong_namespaces_are_read(namespace: str) -> None:
    content = alert(info()).replace(b"urn:oasis:names:tc:emergency:cap:1.2", namespace.encode())
    assert CAP.recognise(Document(content)) >= 0.7
    assert read_one(content).subject == "KR-APQA-2026-0007"


def test_cap_1_0_pairs_are_read() -> None:
    assert (
        read_one(alert(info(more="<parameter>container=MSKU6874333</parameter>"))).data.about[0].value == "MSKU6874333"
    )


def test_a_list_of_alerts_is_read_and_an_illegible_one_holds_nobody_back() -> None:
    good, bad = alert(info()).decode(), alert(info(), identifier="").decode()
    message = read_one(f"<alerts>{bad}{good}</alerts>".encode())
    assert message.subject == "KR-APQA-2026-0007"
    assert "alert-not-read" in warnings(message)


def test_an_atom_entry_with_cap_fields_is_an_alert() -> None:
    content = b"""<feed xmlns="http://www.w3.org/2005/Atom" xmlns:cap="urn:oasis:names:tc:emergency:cap:1.1">
    <id>urn:feed</id><entry><id>urn:entry:1</id><updated>2026-03-01T09:00:00+09:00</updated><title>Beetles</title>
    <author><name>plants@quarantine.example.kr</name></author><summary>In timber.</summary>
    <cap:event>Pest</cap:event><cap:status>Actual</cap:status><cap:msgType>Alert</cap:msgType>
    <cap:category>Health</cap:category><cap:urgency>Expected</cap:urgency><cap:severity>Minor</cap:severity>
    <cap:certainty>Likely</cap:certainty><cap:areaDesc>Busan</cap:areaDesc><cap:polygon></cap:polygon>
    <cap:geocode><valueName>A</valueName><value>1</value><valueName>UN/LOCODE</valueName><value>KRPUS</value></cap:geocode>
    </entry><entry><id>urn:entry:2</id><title>Only a link</title></entry></feed>"""
    message = read_one(content)
    assert (message.subject, message.data.event, message.data.headline) == ("urn:entry:1", "Pest", "Beetles")
    assert (message.data.description, message.data.place.locode) == ("In timber.", "KRPUS")
    assert message.data.sender == "plants@quarantine.example.kr"
    assert {"missing", "no-alert"} == warnings(message)


ENTRY = """<feed xmlns="http://www.w3.org/2005/Atom"><id>urn:feed</id><entry><id>urn:entry:1</id>
    <updated>2026-03-01T09:00:00+09:00</updated><title>Beetles</title>{}</entry></feed>"""


@pytest.mark.parametrize("declared", ["", "<?xml version='1.0' encoding='UTF-16'?>"])
def test_an_alert_that_stands_in_an_entry_as_text_is_read(declared: str) -> None:
    inside = f"<content type='text'>{escape(declared + alert(info()).decode())}</content>"
    for content in (ENTRY.format(inside), f"<rss><channel><item><description>{escape(alert(info()).decode())}"
                    "</description></item></channel></rss>"):  # fmt: skip
        document = Document(content.encode())
        assert CAP.recognise(document) >= 0.9
        assert read_one(content.encode()).subject == "KR-APQA-2026-0007"
    twice = ENTRY.format(f"<content>{escape(alert(info()).decode())}</content><c:event xmlns:c='{NS}'>Pest</c:event>")
    message = read_one(twice.encode())
    assert message.subject == "KR-APQA-2026-0007"
    assert "alert-not-read" not in warnings(message)
    broken = ENTRY.format(f"<content>&lt;alert xmlns='{NS}'&gt;</content>") + ""
    assert [fault.code for fault in refusal(broken.encode()).faults] == ["no-alert"]


def test_an_alert_in_base64_inside_edxl_is_read_in_both_versions() -> None:
    packed = base64.b64encode(alert(info())).decode()
    for root, space in (("EDXLDistribution", "EDXL:DE:1.0"), ("edxlDistribution", "EDXL:DE:2.0")):
        content = (
            f"<d:{root} xmlns:d='urn:oasis:names:tc:emergency:{space}'><d:contentObject><d:nonXMLContent>"
            f"<d:mimeType>application/cap+xml</d:mimeType><d:contentData>{packed}</d:contentData></d:nonXMLContent>"
            f"</d:contentObject></d:{root}>"
        ).encode()
        assert CAP.recognise(Document(content)) >= 0.5
        assert read_one(content).subject == "KR-APQA-2026-0007"


def test_fields_that_stand_in_atom_categories_are_an_alert() -> None:
    terms = ["status=Actual", "msgType=Update", "scope=Public", "category=Met", "severity=Minor", "urgency=Past",
             "certainty=Observed", "event=storm", "language=fr-CA"]  # fmt: skip
    more = "".join(f"<category term='{term}'/>" for term in terms)
    more += "<g:polygon xmlns:g='http://www.georss.org/georss'>42.1 -82.9 42.3 -82.6 42.4 -82.5 42.1 -82.9</g:polygon>"
    more += "<summary>Expires: later&lt;br&gt;Originated from CAP Alert: Weather, 2026-03-01T02:17:00-00:00, 2.49.0.1"
    message = read_one(ENTRY.format(more + "&lt;br&gt;Area: Windsor</summary>").encode())
    assert (message.type, message.subject) == ("alert.updated", "2.49.0.1")
    assert (message.data.severity, message.data.event, message.data.headline) == ("Minor", "storm", "Beetles")
    assert message.data.areas[0].polygon == ["42.1,-82.9 42.3,-82.6 42.4,-82.5 42.1,-82.9"]
    assert message.data.areas[0].area_desc == "Windsor"


def test_text_that_only_claims_to_be_utf_8_is_read_and_told() -> None:
    content = b"<?xml version='1.0' encoding='utf-8'?>" + alert(info("m\u00e9t\u00e9o"))
    message = read_one(content.replace("é".encode(), b"\xe9"))
    assert message.data.event == "météo"
    assert "encoding" in warnings(message)
    assert "encoding" not in warnings(read_one(content))
    assert [fault.code for fault in refusal(content.replace("é".encode(), b"\xe9") + b"<").faults] == [
        "not-well-formed"
    ]


def test_text_inside_text_ends_soon() -> None:
    content = alert(info()).decode()
    for _ in range(4):
        content = f"<feed><alerts/><content>{escape(content)}</content></feed>"
    assert [fault.code for fault in refusal(content.encode()).faults] == ["no-alert"]


def test_a_feed_of_links_is_refused_with_the_reason() -> None:
    content = b'<feed xmlns="http://www.w3.org/2005/Atom"><id>x</id><entry><id>y</id></entry></feed>'
    assert [fault.code for fault in refusal(content).faults] == ["no-alert"]


@pytest.mark.parametrize(
    ("confidentiality", "tlp"),
    [("UNCLASSIFIED AND NOT SENSITIVE", "CLEAR"), ("TLP:GREEN", "GREEN"), ("officers only", "AMBER+STRICT")],
)
def test_the_confidentiality_of_an_edxl_wrapper_can_only_tighten(confidentiality: str, tlp: str) -> None:
    content = f"""<d:EDXLDistribution xmlns:d="urn:oasis:names:tc:emergency:EDXL:DE:1.0">
    <d:distributionStatus>Exercise</d:distributionStatus>
    <d:combinedConfidentiality>{confidentiality}</d:combinedConfidentiality>
    <d:contentObject><d:xmlContent><d:embeddedXMLContent>{alert(info()).decode()}</d:embeddedXMLContent></d:xmlContent>
    </d:contentObject></d:EDXLDistribution>""".encode()
    message = read_one(content)
    assert (message.tlp, message.test) == (tlp, True)
    assert CAP.recognise(Document(content)) > 0.9


def test_every_fault_of_an_alert_is_told_at_once_with_its_place() -> None:
    error = refusal(alert(info(), identifier="", status="Maybe", msgType=""))
    assert {(fault.code, fault.pointer) for fault in error.faults} == {
        ("missing", "/alert (line 1)/identifier"),
        ("not-in-list", "/alert (line 1)/status"),
        ("missing", "/alert (line 1)/msgType"),
    }


def test_faults_and_warnings_never_repeat_what_the_document_says() -> None:
    secret = "Zephyrine"
    content = alert(
        info(secret, more=f"<web>{secret} %</web><contact>{secret * 80}</contact><expires>{secret}</expires>"),
        info(secret, more=f"<parameter><valueName>container</valueName><value>{secret}</value></parameter>"),
        status="Actual",
        scope=secret,
    )
    for message in read(content):
        assert secret not in str(message.data.native)
    assert secret not in str(refusal(alert(info(), status=secret, identifier="")))


def test_an_entity_attack_is_refused() -> None:
    content = b'<!DOCTYPE alert [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + alert(info("&x;"))
    assert [fault.code for fault in refusal(content).faults] == ["document-type"]


def test_a_flood_of_alerts_infos_or_parameters_ends_soon() -> None:
    many = "<alert/>" * (MAX_ALERTS + 1)
    assert refusal(f"<alerts>{many}</alerts>".encode()).faults[0].code == "too-many"
    assert refusal(alert("<info/>" * 1000)).faults[0].code == "too-many"
    read(alert(info(more="<parameter/>" * 50_000 + "<web>x y</web>" * 50_000)))
    read(b'<feed xmlns="http://www.w3.org/2005/Atom">' + b"<entry/>" * 50_000 + alert(info()) + b"</feed>")


def test_a_notice_of_a_held_consignment_names_it_and_asks_for_action() -> None:
    message = build(
        specversion="1.0", id="m-1", source="kr.customs", type="shipment.held", subject="6KR123-X",
        time=datetime(2026, 3, 1, tzinfo=UTC), datacontenttype="application/json", dataschema="urn:cbm:shipment:1",
        tlp="AMBER",
        data={
            "identifiers": [{"scheme": "ucr", "value": "6KR123-X"}, {"scheme": "container", "value": "MSKU6874333"}],
            "occurred": "2026-03-01T08:00:00+09:00", "place": {"locode": "KRPUS", "country": "KR"},
            "decision": {"outcome": "held", "authority": "kr.customs", "reason": "Seal differs from the declared one"},
        },
    )  # fmt: skip
    content = CAP.write(message)
    again = read_one(content)
    assert (again.data.category, again.data.severity) == (["Security", "Transport"], "Minor")
    assert [one.value for one in again.data.about] == ["6KR123-X", "MSKU6874333"]
    assert (again.tlp, again.data.scope, again.data.place.locode) == ("AMBER", "Restricted", "KRPUS")
    assert again.data.response_type == ["Execute"]
    assert content == CAP.write(message)


def test_what_is_no_matter_for_an_officer_is_refused() -> None:
    message = build(
        specversion="1.0", id="m-1", source="kr.customs", type="shipment.declared", subject="6KR123-X",
        time=datetime(2026, 3, 1, tzinfo=UTC), datacontenttype="application/json", dataschema="urn:cbm:shipment:1",
        data={"identifiers": [{"scheme": "ucr", "value": "6KR123-X"}], "occurred": "2026-03-01T08:00:00+09:00"},
    )  # fmt: skip
    with pytest.raises(TranslationError):
        CAP.write(message)


@pytest.mark.parametrize(
    ("tlp", "scope"), [("CLEAR", b"Public"), ("GREEN", b"Restricted"), (None, b"Restricted"), ("RED", b"Private")]
)
def test_the_scope_written_is_never_wider_than_the_marking(tlp: str | None, scope: bytes) -> None:
    message = read_one(alert(info(), scope="Public"))
    content = CAP.write(message.model_copy(update={"tlp": tlp}))
    assert b"<scope>" + scope + b"</scope>" in content


@pytest.mark.parametrize("tlp", ["CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"])
def test_every_marking_is_read_back_as_it_was_written(tlp: str) -> None:
    recipients = "kr.border kr.customs" if tlp == "RED" else None
    message = read_one(alert(info())).model_copy(update={"tlp": tlp, "recipients": recipients})
    again = read_one(CAP.write(message))
    assert (again.tlp, again.recipients) == (tlp, recipients)


def test_a_test_message_never_leaves_as_an_actual_alert() -> None:
    message = read_one(alert(info()))
    assert b"<status>Test</status>" in CAP.write(message.model_copy(update={"test": True}))


def test_a_cancelled_alert_is_never_written_as_a_new_one() -> None:
    message = read_one(alert(info(), msgType="Cancel"))
    wrong = message.model_copy(update={"data": message.data.model_copy(update={"msg_type": "Alert"})})
    assert b"<msgType>Cancel</msgType>" in CAP.write(wrong)


def carried(message: Any) -> dict[str, Any]:
    """What CAP carries of a message: all but the native document and what the adapter adds."""
    fields = ("type", "subject", "time", "marking", "recipients", "expires", "test")
    return {name: getattr(message, name) for name in fields} | {
        "data": message.data.model_copy(update={"native": None})
    }


@settings(max_examples=150, deadline=None)
@given(clean_alerts())
def test_an_alert_written_and_read_again_is_the_same(message: Message) -> None:
    assert carried(read_one(CAP.write(message))) == carried(message)


@settings(max_examples=100, deadline=None)
@given(wild_alerts())
def test_whatever_an_alert_holds_it_can_be_written_and_read_and_no_marking_is_lost(message: Message) -> None:
    content = CAP.write(message)
    assert content == CAP.write(message)
    again = read_one(content)
    # Whom a RED alert is for cannot be read back from wild addresses; it then goes no further than agreements.
    assert again.marking.sensitivity >= min(message.marking.sensitivity, 3)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_bytes_are_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    content = bytearray(
        alert(info(more="<area><areaDesc>x</areaDesc><circle>1,2 3</circle></area>"), header="<note>n</note>")
    )
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content)))
        content[place : place + data.draw(st.integers(0, 12))] = data.draw(st.binary(max_size=6))
    document = Document(bytes(content))
    assert 0 <= CAP.recognise(document) <= 1
    try:
        messages(CAP, document, ORIGIN)
    except TranslationError as error:
        assert error.faults  # noqa: PT017 (either outcome is right)


_NAMES = st.sampled_from(
    """
    alert identifier sender sent status msgType scope restriction addresses code references incidents info language
    category event urgency severity certainty eventCode expires web parameter area areaDesc polygon circle geocode
    altitude valueName value resource entry author name
    """.split()  # noqa: SIM905
)
_TEXTS = st.sampled_from(
    ["", " ", "x", "Actual", "Alert", "Cancel", "Private", "Unknown", "Met", "-1e9", "91,181", "1,2 3,4", "=", "a=b",
     "2026-02-30T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "cbm:ucr", "container",
     "TLP:RED", "kr.customs", "http://[", "cbm:place-locode", "KRPUS", '"', "9" * 600, "1897-01-01T00:00:00"]
)  # fmt: skip
_TREES = st.recursive(
    st.builds("<{0}>{1}</{0}>".format, _NAMES, _TEXTS),
    lambda inner: st.builds(
        lambda name, parts: f"<{name}>{''.join(parts)}</{name}>", _NAMES, st.lists(inner, max_size=6)
    ),
    max_leaves=25,
)


@settings(max_examples=200, deadline=None)
@given(st.lists(_TREES, max_size=6), st.booleans())
def test_cap_elements_in_any_disorder_are_read_or_refused_and_nothing_else(parts: list[str], legible: bool) -> None:
    header = "<identifier>x</identifier><status>Actual</status><msgType>Update</msgType>" if legible else ""
    content = f'<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">{header}{"".join(parts)}</alert>'.encode()
    try:
        found = messages(CAP, Document(content), ORIGIN)
    except TranslationError as error:
        assert error.faults  # noqa: PT017
    else:
        for message in found:
            CAP.write(message)


@pytest.mark.parametrize(
    ("path", "container"),
    [("kr.quarantine/cap-pest-interception.xml", "CBMU2046175"), ("kr.border/cap-radiation-gate.xml", "CBMU3104281")],
)
def test_the_example_alerts_name_their_container_and_place_without_a_warning(path: str, container: str) -> None:
    message = read_one((EXAMPLES / path).read_bytes())
    assert ("container", container) in {(one.scheme, one.value) for one in message.data.about}
    assert (message.data.place.locode, message.data.severity) == ("KRPUS", "Severe")
    assert message.data.native.warnings is None


def test_other_documents_are_not_taken_for_alerts() -> None:
    for content in (b"", b"UNA:+.? '", b"{}", b"<Declaration/>", base64.b64decode("AAEC"), b"<alerting/>"):
        assert CAP.recognise(Document(content)) == 0


def test_an_agency_s_own_id_is_not_repeated_as_sender() -> None:
    assert read_one(alert(info(), sender=AGENCIES[2])).data.sender is None
