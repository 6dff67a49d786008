"""Where CAP alerts hide: feeds, distributions and documents within documents, and what of these is told."""

import base64
import hashlib
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.cap import TRANSLATORS
from adapters.document import Document, Origin
from adapters.profile import NEUTRAL, Profile
from adapters.translator import messages
from schemas import Message, build
from schemas.errors import TranslationError
from tests.unit.test_cap import alert, info, read, read_one, refusal, warnings

(CAP,) = TRANSLATORS
FLAT = """<cap:event>Pest</cap:event><cap:status>Actual</cap:status><cap:msgType>Alert</cap:msgType>
<cap:scope>Public</cap:scope><cap:category>Health</cap:category><cap:urgency>Expected</cap:urgency>
<cap:severity>Minor</cap:severity><cap:certainty>Likely</cap:certainty>"""


def distribution(*objects: str, header: str = "", root: str = "EDXLDistribution", version: str = "1.0") -> bytes:
    held = "".join(f"<contentObject>{one}</contentObject>" for one in objects)
    name = f"urn:oasis:names:tc:emergency:EDXL:DE:{version}"
    return f'<{root} xmlns="{name}"><distributionID>D1</distributionID>{header}{held}</{root}>'.encode()


def embedded(content: bytes, more: str = "") -> str:
    inside = f"<xmlContent><embeddedXMLContent>{content.decode()}</embeddedXMLContent></xmlContent>"
    return more + inside


def as_data(content: bytes, digest: str = "") -> str:
    text = base64.b64encode(content).decode()
    return f"<nonXMLContent><mimeType>application/cap+xml</mimeType>{digest}<contentData>{text}</contentData></nonXMLContent>"  # noqa: E501


def rss(*items: str) -> bytes:
    held = "".join(f"<item>{one}</item>" for one in items)
    return (
        '<rss version="2.0" xmlns:cap="urn:oasis:names:tc:emergency:cap:1.2"><channel><title>Plant health</title>'
        f"<managingEditor>plants@quarantine.example.kr</managingEditor>{held}</channel></rss>"
    ).encode()


def codes(content: bytes) -> list[str]:
    return [fault.code for fault in refusal(content).faults]


def test_an_rss_item_with_cap_fields_is_an_alert_and_rss_fills_the_gaps() -> None:
    area = "<cap:area><cap:areaDesc>Busan</cap:areaDesc><cap:geocode><cap:valueName>UN/LOCODE</cap:valueName>"
    area += "<cap:value>KRPUS</cap:value></cap:geocode></cap:area>"
    item = "<title>Beetles</title><guid>urn:item:1</guid><pubDate>Sun, 01 Mar 2026 09:00:00 +0900</pubDate>"
    content = rss(item + "<description>In timber.</description>" + FLAT + area)
    assert CAP.recognise(Document(content)) > 0.9
    message = read_one(content)
    assert (message.subject, message.time.isoformat()) == ("urn:item:1", "2026-03-01T09:00:00+09:00")
    assert (message.data.headline, message.data.description) == ("Beetles", "In timber.")
    assert message.data.sender == "plants@quarantine.example.kr"
    assert (message.data.areas[0].area_desc, message.data.place.locode) == ("Busan", "KRPUS")


def test_an_alert_within_an_rss_item_or_escaped_or_in_base64_is_read() -> None:
    own = alert(info())
    heading = '<?xml version="1.0" encoding="ISO-8859-1"?>'
    (inline,) = read(rss(own.decode()))
    (escaped,) = read(rss(f"<description><![CDATA[{heading}{alert(info('Käfer')).decode()}]]></description>"))
    assert inline.subject == "KR-APQA-2026-0007"
    assert escaped.data.event == "Käfer"  # type: ignore[union-attr]
    entry = f'<content type="application/cap+xml">{base64.b64encode(own).decode()}</content>'
    (coded,) = read(f'<feed xmlns="http://www.w3.org/2005/Atom"><entry>{entry}</entry></feed>'.encode())
    assert coded.subject == "KR-APQA-2026-0007"


def test_what_is_illegible_within_a_text_is_told_with_both_places() -> None:
    content = rss("<description><![CDATA[<alert><identifier>]]></description>", alert(info()).decode())
    message = read_one(content)
    (warning,) = [one for one in message.data.native.warnings if one.code == "alert-not-read"]
    assert warning.pointer.startswith("/rss/channel/item[1]/description (line 1) > line 1")
    inner = alert(info(), identifier="").decode()
    (fault,) = refusal(rss(f"<description><![CDATA[{inner}]]></description>")).faults
    assert fault.pointer == "/rss/channel/item/description (line 1) > /alert (line 1)/identifier"


def test_a_feeds_author_is_the_sender_where_an_entry_names_none() -> None:
    content = f"""<feed xmlns="http://www.w3.org/2005/Atom" xmlns:cap="urn:oasis:names:tc:emergency:cap:1.2">
    <author><name>duty@quarantine.example.kr</name></author><entry><id>urn:e</id>{FLAT}</entry></feed>"""
    assert read_one(content.encode()).data.sender == "duty@quarantine.example.kr"


def test_a_refused_feed_says_whether_it_was_empty_or_held_links_or_neither() -> None:
    def feed(entries: str) -> bytes:
        return f'<feed xmlns="http://www.w3.org/2005/Atom"><id>x</id>{entries}</feed>'.encode()

    link = '<entry><link href="https://alerts.example/1.cap" type="application/cap+xml"/></entry>'
    assert codes(feed("")) == ["empty-feed"]
    assert codes(feed(link * 2)) == ["link-only", "link-only"]
    assert codes(feed(link + "<entry><id>y</id></entry>")) == ["link-only", "no-alert"]
    assert codes(feed(link * 5000))[-1] == "more-faults"
    assert codes(rss()) == ["empty-feed"]
    assert codes(rss("<link>https://alerts.example/1.cap</link>")) == ["link-only"]
    assert codes(distribution("<nonXMLContent><uri>https://alerts.example/1.cap</uri></nonXMLContent>")) == [
        "link-only"
    ]


@pytest.mark.parametrize(("root", "version"), [("EDXLDistribution", "1.0"), ("edxlDistribution", "2.0")])
def test_content_objects_are_alerts_each_with_its_own_confidentiality(root: str, version: str) -> None:
    content = distribution(
        embedded(alert(info(), identifier="A"), "<confidentiality>TLP:GREEN</confidentiality>"),
        as_data(alert(info(), identifier="B")),
        embedded(alert(info(), identifier="C"), "<confidentiality>for the gate</confidentiality>"),
        header="<combinedConfidentiality>Unclassified</combinedConfidentiality>",
        root=root,
        version=version,
    )
    assert CAP.recognise(Document(content)) > 0.9
    found = read(content)
    assert {one.subject: one.tlp for one in found} == {"A": "GREEN", "B": "CLEAR", "C": "AMBER+STRICT"}
    assert "confidentiality" in warnings(found[0])


def test_explicit_addresses_are_the_recipients_and_whoever_is_none_is_told() -> None:
    header = (
        "<distributionStatus><StatusKindDefault>Test</StatusKindDefault></distributionStatus>"
        "<combinedConfidentiality>SECRET</combinedConfidentiality><keyword><value>x</value></keyword>"
        "<explicitAddress><explicitAddressScheme>cbm</explicitAddressScheme><explicitAddressValue>KR.Customs"
        "</explicitAddressValue><explicitAddressValue>duty@customs.example</explicitAddressValue></explicitAddress>"
    )
    message = read_one(distribution(embedded(alert(info())), header=header))
    assert (message.tlp, message.recipients, message.test) == ("RED", "kr.customs", True)
    assert {"address-not-an-agency", "wrapper-not-carried"} <= warnings(message)


def test_content_in_base64_is_held_against_its_digest_and_what_is_no_xml_is_told() -> None:
    own = alert(info())
    right, wrong = (f"<digest>{hashlib.sha1(one).hexdigest()}</digest>" for one in (own, b""))
    assert "digest-mismatch" not in warnings(read_one(distribution(as_data(own, right))))
    assert "digest-mismatch" in warnings(read_one(distribution(as_data(own, wrong))))
    picture = b"\x89PNG\r\n"
    message = read_one(distribution(as_data(own), as_data(picture)))
    (told,) = [one.detail for one in message.data.native.warnings if one.code == "content-not-carried"]
    assert hashlib.sha256(picture).hexdigest() in told
    assert codes(distribution("<nonXMLContent><contentData>%%%</contentData></nonXMLContent>")) == ["base64"]


def test_a_document_type_within_a_document_is_refused_as_well() -> None:
    attack = b'<!DOCTYPE alert [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + alert(info("&x;"))
    assert codes(distribution(as_data(attack))) == ["document-type"]


def test_a_resource_is_told_with_the_hash_by_which_it_is_found_again() -> None:
    picture = b"GIF89a"
    text = base64.b64encode(picture).decode()
    more = f"<resource><derefUri>{text}</derefUri><digest>{'0' * 40}</digest></resource>"
    message = read_one(alert(info(more=more)))
    (told,) = [one.detail for one in message.data.native.warnings if one.code == "resource-not-carried"]
    assert f"{len(picture)} bytes, sha256 {hashlib.sha256(picture).hexdigest()}" in told
    assert "digest-mismatch" in warnings(message)
    assert "base64" in warnings(read_one(alert(info(more="<resource><derefUri>%</derefUri></resource>"))))


def test_a_signature_is_said_not_to_have_been_verified() -> None:
    signature = '<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignedInfo/></Signature>'
    for content in (alert(info(), header=signature), distribution(embedded(alert(info())), header=signature)):
        (told,) = [one for one in read_one(content).data.native.warnings if one.code == "signature-not-verified"]
        assert "not verified" in told.detail


def test_a_reference_finds_all_that_became_of_an_alert_by_its_correlationid() -> None:
    single = read_one(alert(info(), identifier="K1"))
    several = read(alert(info("Beetles"), info("Rust fungus"), identifier="K2"))
    cancel = read_one(alert(identifier="K3", msgType="Cancel", header="<references>a,K1,t b,K2,t</references>"))
    named = {reference.split(",")[1] for reference in cancel.data.references}
    assert [one.subject for one in [single, *several, cancel] if one.correlationid in named] == ["K1", "K2", "K2#2"]


def test_an_alert_that_was_one_of_several_keeps_what_it_belongs_to_when_written() -> None:
    _, second = read(alert(info("Beetles"), info("Rust fungus"), identifier="K2"))
    again = read_one(CAP.write(second))
    assert (again.subject, again.correlationid) == ("K2#2", "K2")
    assert again.data.parameters is None


def of_profile(**sections: dict[str, Any]) -> Profile:
    return Profile("kr", "Korea", "1", NEUTRAL, {"cap": sections})


def test_a_nations_names_and_words_are_read_by_its_profile() -> None:
    profile = of_profile(
        reference={"Plant-Cert": "certificate"}, issuer={"plantcert": "kr.quarantine"},
        place={"port": "locode"}, confidentiality={"대외비": "AMBER"},
    )  # fmt: skip
    pair = "<valueName>x:plant cert</valueName><value>KR 26-1</value>"
    area = "<area><areaDesc>x</areaDesc><geocode><valueName>Port</valueName><value>KRPUS</value></geocode></area>"
    own = alert(info(more=f"<parameter>{pair}</parameter>{area}"))
    header = "<combinedConfidentiality>대외비</combinedConfidentiality>"
    origin = Origin("kr.border", datetime(2026, 3, 2, tzinfo=UTC), profile=profile)
    (message,) = read(distribution(embedded(own), header=header), origin)
    data: Any = message.data
    assert [(one.scheme, one.value, one.issuer) for one in data.about] == [("certificate", "KR26-1", "kr.quarantine")]
    assert (data.place.locode, message.tlp) == ("KRPUS", "AMBER")


@pytest.mark.parametrize(
    ("name", "scheme", "issuer"),
    [
        ("UCR", "ucr", None),
        ("x:MRN", "mrn", None),
        ("Certificate-No@kr.quarantine", "certificate", "kr.quarantine"),
        ("ContainerNumber", "container", None),
        ("Seal Number", "seal", None),
    ],
)
def test_parameters_of_others_join_with_scheme_and_issuer(name: str, scheme: str, issuer: str | None) -> None:
    pair = f"<parameter><valueName>{name}</valueName><value>MSKU6874333</value></parameter>"
    (found,) = read_one(alert(info(more=pair))).data.about
    assert (found.scheme, found.value, found.issuer) == (scheme, "MSKU6874333", issuer)


def held() -> Message:
    return build(
        specversion="1.0", id="m-1", source="kr.customs", type="shipment.held", subject="6KR123-X",
        time=datetime(2026, 3, 1, tzinfo=UTC), datacontenttype="application/json", dataschema="urn:cbm:shipment:1",
        data={"identifiers": [{"scheme": "ucr", "value": "6KR123-X"}], "occurred": "2026-03-01T08:00:00Z"},
    )  # fmt: skip


def test_a_nation_words_its_notices_itself_and_what_it_leaves_out_stays() -> None:
    profile = of_profile(notice={"shipment.held": {"event": "화물 보류", "language": "ko"}})
    (message,) = messages(
        CAP, Document(CAP.write(held(), profile)), Origin("kr.border", datetime(2026, 3, 2, tzinfo=UTC))
    )
    data: Any = message.data
    assert (data.event, data.language, data.response_type) == ("화물 보류", "ko", ["Execute"])
    (plain,) = read(CAP.write(held()))
    assert (plain.data.event, plain.data.language) == ("Consignment held", "en")  # type: ignore[union-attr]


def test_a_flood_within_a_wrapper_ends_soon() -> None:
    entries = "<item><description>&lt;alert/></description></item>" * 3000
    with pytest.raises(TranslationError) as refused:
        CAP.read(Document(rss(entries)), Origin("kr.border", datetime(2026, 3, 2, tzinfo=UTC)))
    assert refused.value.faults[0].code == "too-many"
    broken = "<item><description>&lt;alert&gt;</description></item>" * 50_000
    assert codes(rss(broken))[100:] == ["more-faults"]
    nested = "<contentObject>" * 90 + alert(info()).decode() + "</contentObject>" * 90
    assert len(read(distribution(nested))) == 1


def test_what_is_odd_about_a_field_strewn_into_an_entry_is_told_where_it_stands() -> None:
    message = read_one(rss("<guid>urn:item:1</guid>\n" + FLAT.replace("Minor", "grave")))
    (told,) = [one for one in message.data.native.warnings if one.code == "not-in-list"]
    assert told.pointer == "/rss/channel/item/severity (line 4)"


def test_the_sender_of_all_entries_is_asked_of_their_feed_and_soon() -> None:
    many = [f"<guid>urn:item:{number}</guid>{FLAT}" for number in range(500)]
    filler = ["<title>x</title>"] * 30_000
    started = time.process_time()
    found = read(rss(*many, *filler).replace(b"<managingEditor>plants@quarantine.example.kr</managingEditor>", b""))
    assert time.process_time() - started < 10
    assert {one.data.sender for one in found} == {"Plant health"}


def test_an_alert_whose_fields_lie_flat_in_it_says_what_they_say() -> None:
    header = "<identifier>A1</identifier><sender>s@example.kr</sender><sent>2026-03-01T09:00:00+09:00</sent>"
    area = "<areaDesc>Busan</areaDesc><geocode><valueName>UN/LOCODE</valueName><value>KRPUS</value></geocode>"
    flat = f'<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">{header}{FLAT.replace("cap:", "")}{area}</alert>'
    message = read_one(flat.encode())
    assert (message.data.event, message.data.severity, message.data.certainty) == ("Pest", "Minor", "Likely")
    assert message.data.areas[0].area_desc == "Busan"
    assert message.data.place.locode == "KRPUS"
    assert warnings(message) == {"flattened"}


def test_names_in_other_letters_are_read_and_told() -> None:
    block = info().replace("<category>", "<Category>").replace("</category>", "</Category>")
    spelt = alert(block)
    assert read_one(spelt).data.category == read_one(alert(info())).data.category
    assert "spelling" in warnings(read_one(spelt))
