"""SPS against a real certificate, and acknowledgements against the schema of the IPPC hub."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from adapters.document import Document, Origin
from adapters.profile import NEUTRAL
from adapters.sps import TRANSLATORS
from adapters.translator import messages
from schemas import build
from schemas.envelope import parse

CERTIFICATE, ACKNOWLEDGEMENT = TRANSLATORS
ORIGIN = Origin("kr.quarantine", datetime(2026, 3, 2, tzinfo=UTC), ZoneInfo("Asia/Seoul"))
XSD = "http://www.w3.org/2001/XMLSchema"
NAMESPACE = "urn:un:unece:uncefact:data:standard:SPSAcknowledgement:17"


@pytest.fixture(scope="module")
def schema(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> etree.XMLSchema:
    """The schemas cut out of the hub's WSDL, each told where the others now lie."""
    wsdl = next((corpus / "sps-ephyto").rglob("ephyto.wsdl"))
    parts = list(etree.fromstring(wsdl.read_bytes()).iter(f"{{{XSD}}}schema"))
    folder = tmp_path_factory.mktemp("sps")
    names = {part.get("targetNamespace"): folder / f"{number}.xsd" for number, part in enumerate(parts)}
    for part in parts:
        for needed in part.findall(f"{{{XSD}}}import"):
            needed.set("schemaLocation", names[needed.get("namespace")].name)
        names[part.get("targetNamespace")].write_bytes(etree.tostring(part))
    return etree.XMLSchema(etree.parse(str(names[NAMESPACE])))


def test_every_certificate_is_read_with_its_references_and_without_attachments(corpus: Path) -> None:
    found = sorted((corpus / "sps-ephyto").rglob("*.xml"))
    assert found
    for path in found:
        document = Document(path.read_bytes())
        assert CERTIFICATE.recognise(document) == 1
        (message,) = messages(CERTIFICATE, document, ORIGIN)
        assert parse(message.to_bytes()) == message
        assert message.type == "shipment.declared"
        assert message.data.documents[0].type == "851"
        assert {"certificate", "seal"} <= {one.scheme for one in message.data.identifiers}
        assert message.data.goods[0].hs == "06029048"
        assert len(message.to_bytes()) < len(document.content) / 20
        warned = [warning.code for warning in message.data.native.warnings]
        assert warned.count("attachment-not-carried") == len(list(document.xml.iter("{*}AttachmentBinaryObject")))


_wild = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=40)
_schemes = st.sampled_from(
    [*dict.fromkeys(NEUTRAL.table("sps", "relation").values()), "certificate", "other", "equipment"]
)


@st.composite
def decisions(draw: st.DrawFn) -> object:
    """Decisions with any text anywhere."""
    type_ = draw(st.sampled_from(["released", "held", "refused", "inspected", "documents-required", "rejected"]))
    values = draw(st.lists(_wild.filter(lambda text: "".join(text.split())), min_size=1, max_size=3))
    reason = draw(st.none() | _wild)
    return build(
        specversion="1.0", id="m-1", source="kr.customs", type=f"shipment.{type_}", subject="x",
        time=datetime(2026, 3, 4, tzinfo=UTC), datacontenttype="application/json", dataschema="urn:cbm:shipment:1",
        data={
            "identifiers": [{"scheme": draw(_schemes), "value": value} for value in values],
            "occurred": draw(st.datetimes(timezones=st.just(UTC))),
            "documents": [{"type": draw(_wild), "id": values[0]}],
            "decision": {"outcome": type_, "authority": draw(_wild)} | ({"reason": reason} if reason else {}),
        },
    )  # fmt: skip


def test_every_acknowledgement_written_is_valid(schema: etree.XMLSchema) -> None:
    @settings(max_examples=200, deadline=None)
    @given(decisions())
    def check(message: object) -> None:
        content = ACKNOWLEDGEMENT.write(message)  # type: ignore[arg-type]
        assert schema.validate(etree.fromstring(content)), schema.error_log

    check()


def test_the_schema_would_notice_a_fault(schema: etree.XMLSchema) -> None:
    assert not schema.validate(etree.fromstring(f'<SPSAcknowledgement xmlns="{NAMESPACE}"><x/></SPSAcknowledgement>'))
