"""What a parser refuses over what no reader needs is read, marked; what a reader would have to guess is not."""

import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.document import Document, Findings, Origin, local_name
from adapters.formats import recognise
from adapters.translator import messages
from adapters.xml_repair import root_of
from schemas.errors import TranslationError


def repaired(content: bytes) -> tuple[list[str], list[str | None], list[str]]:
    """Names, texts and warnings of what was read."""
    findings = Findings()
    root = root_of(Document(content), findings)
    return [local_name(one) for one in root.iter()], list(root.itertext()), [one.code for one in findings.warnings]


@pytest.mark.parametrize(
    ("content", "names", "texts", "warning"),
    [
        (b"<a><b:c d:e='1'/></a>", ["a", "c"], [], "undeclared-prefix"),
        (b"<?xml version='1.0'?><n:a><b>1</b></n:a>", ["a", "b"], ["1"], "undeclared-prefix"),
        (b"<a>1<!-- x -- y -->2</a>", ["a"], ["12"], "comment-form"),
        (b"<a><![CDATA[<!-- -- -->]]><!-- - --- --></a>", ["a"], ["<!-- -- -->"], "comment-form"),
        (b"<a b='&#x1C;'>1&#28;2&#xD800;&#65;</a>", ["a"], ["12A"], "control-character"),
        (b"<a>1\x0b2</a>", ["a"], ["12"], "control-character"),
        (b"\r\n <?xml version='1.0'?><a/>", ["a"], [], "leading-blanks"),
        ("<?xml version='1.0' encoding='UTF-8'?><a>é€</a>".encode("cp1252"), ["a"], ["é€"], "encoding"),
    ],
)
def test_each_is_repaired_and_told(content: bytes, names: list[str], texts: list[str], warning: str) -> None:
    assert repaired(content) == (names, texts, [warning])


EXAMPLES = Path(__file__).parents[2] / "examples" / "seaport" / "documents"
ORIGIN = Origin("kr.customs", datetime(2026, 3, 2, tzinfo=UTC))
TRANSIT = b"""<?xml version='1.0'?><ncts:CC004C xmlns:ncts="http://ncts.dgtaxud.ec" PhaseID="NCTS5.1">
<messageSender>NTA.GB</messageSender><preparationDateAndTime>2026-03-02T10:00:00</preparationDateAndTime>
<messageType>CC004C</messageType><TransitOperation><LRN>L1</LRN><MRN>26KR1</MRN></TransitOperation></ncts:CC004C>"""
INSTRUMENT = b"""<?xml version='1.0'?>
<RadInstrumentData xmlns="http://physics.nist.gov/N42/2011/N42" n42DocUUID="u-00000001">
<RadMeasurement id="m"><StartDateTime>2026-03-02T10:00:00Z</StartDateTime><GrossCounts id="g"/></RadMeasurement>
</RadInstrumentData>"""


def family() -> dict[str, bytes]:
    """A document of each of the XML formats that are repaired."""
    found = {"ncts": TRANSIT, "n42": INSTRUMENT}
    for path in sorted(EXAMPLES.rglob("*.xml")):
        document = Document(path.read_bytes())
        name = recognise(document)[0].name
        if name.startswith(("wco", "sps", "cap", "inventory")):
            found.setdefault(name, document.content)
    return found


@pytest.mark.parametrize("name", sorted(family()))
def test_every_reader_of_the_family_repairs(name: str) -> None:
    content = family()[name]
    at = content.rindex(b"</")
    broken = b"\n" + content[:at] + b"<!-- a -- b -->\x01<odd:x/>" + content[at:]
    translator, sure = recognise(Document(broken))
    assert (translator.name, sure >= 0.5) == (name, True)
    whole, mended = (messages(translator, Document(one), ORIGIN) for one in (content, broken))
    assert [one.data.model_copy(update={"native": None}) for one in mended] == [
        one.data.model_copy(update={"native": None}) for one in whole
    ]
    told = {warning.code for warning in mended[0].data.native.warnings}
    assert told >= {"comment-form", "control-character", "leading-blanks", "undeclared-prefix"}


def test_all_of_them_in_one_document_are_repaired() -> None:
    names, _, warnings = repaired(b" <?xml version='1.0'?><a>\x01<!-- -- --><q:b/></a>")
    assert names == ["a", "b"]
    assert sorted(warnings) == ["comment-form", "control-character", "leading-blanks", "undeclared-prefix"]


def test_the_lines_of_places_stay_what_they_were() -> None:
    root = root_of(Document(b"<a><!-- \n -- \n -->\n<b/></a>"), Findings())
    assert root[0].sourceline == 4


@pytest.mark.parametrize(
    "content",
    [
        b"<a><b></a>", b"<a><b>", b"<a>&unknown;</a>", b"<a><!-- -- ", b"<a>\x00</a>", b"<a b=1/>", b"<a/><a/>",
        b"\n<?xml version='1.0'?><!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", b"", b" ", "<a>\x01</a>".encode("utf-16"),
    ],
)  # fmt: skip
def test_nothing_is_guessed(content: bytes) -> None:
    with pytest.raises(TranslationError):
        repaired(content)


@pytest.mark.parametrize(
    "flood",
    [b"<!--" * 200_000, b"<![CDATA[" * 100_000, b"<!-- -- -->" * 80_000, b"&#1;" * 200_000, b"<!" * 400_000,
     b"&#x" + b"0" * 800_000, b" a:b" * 200_000],
)  # fmt: skip
def test_a_flood_ends_soon(flood: bytes) -> None:
    started = time.process_time()
    for content in (b"<a>\x01<!-- -- -->" + flood + b"</a>", b"<p:a>" + flood, flood):
        with suppress(TranslationError):
            root_of(Document(content), Findings())
    assert time.process_time() - started < 8


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([b"<a>", b"</a>", b"<!--", b"-->", b"--", b"&#1;", b"\x02", b"<p:b/>", b"<![CDATA[",
                                 b"]]>", b"x", b"\n", b"<?xml version='1.0'?>"]), max_size=12))  # fmt: skip
def test_whatever_it_is_it_is_read_or_refused(parts: list[bytes]) -> None:
    with suppress(TranslationError):
        root_of(Document(b"".join(parts)), Findings())
