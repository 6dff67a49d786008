"""E-mails are taken apart: what is a document in them is read, what accompanies it is not, bad ones say why."""

from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest

from adapters.document import Document, Origin
from adapters.formats import documents_in, read_all
from adapters.mail import MAX_DEPTH, MAX_PARTS, attached, is_mail
from schemas.errors import TranslationError
from tests.edifact_documents import CARGO_REPORT

EXAMPLES = Path(__file__).parents[2] / "examples" / "seaport" / "documents"
DECLARATION = (EXAMPLES / "kr.customs" / "declaration-plants.xml").read_bytes()
ORIGIN = Origin("kr.customs", datetime(2026, 3, 1, tzinfo=UTC))


def mail(*attachments: tuple[bytes, str, str], text: str = "Dear colleagues, please find it attached.") -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "desk@line.example", "edi@customs.example", "Cargo report"
    made["Date"] = "Sun, 01 Mar 2026 09:15:00 +0900"
    made.set_content(text)
    for content, kind, name in attachments:
        main, _, sub = kind.partition("/")
        made.add_attachment(content, maintype=main, subtype=sub, filename=name)
    return made


def formats(content: bytes) -> list[tuple[str, str]]:
    return [(one.translator.name, one.place) for one in documents_in(Document(content))]


def faults(content: bytes) -> list[tuple[str, str]]:
    with pytest.raises(TranslationError) as refused:
        read_all(documents_in(Document(content)), lambda _: ORIGIN)
    return [(fault.code, fault.pointer) for fault in refused.value.faults]


def test_attachments_of_any_encoding_are_documents_and_say_what_they_say_by_themselves() -> None:
    both = mail(
        (DECLARATION, "application/xml", "declaration.xml"),
        (CARGO_REPORT.encode(), "application/octet-stream", "cargo.edi"),
    )
    found = documents_in(Document(both.as_bytes()))
    assert [(one.translator.name, one.place) for one in found] == [("wco-dec", "part 2"), ("edifact-cuscar", "part 3")]
    [alone] = read_all(documents_in(Document(DECLARATION)), lambda _: ORIGIN)
    [within, _] = read_all(found, lambda _: ORIGIN)
    # The fingerprint is the attachment's own: sent by mail and put into the folder, it is one document.
    assert [one.to_bytes() for one in within] == [one.to_bytes() for one in alone]


def test_a_document_in_the_text_itself_is_read_and_a_covering_note_is_passed_over() -> None:
    assert formats(mail(text=CARGO_REPORT).as_bytes()) == [("edifact-cuscar", "part 1")]
    forwarded = mail()
    forwarded.add_attachment(mail((DECLARATION, "text/xml", "d.xml")))
    assert formats(forwarded.as_bytes()) == [("wco-dec", "part 2.1.2")]


def test_what_accompanies_a_document_is_none() -> None:
    made = mail((DECLARATION, "text/xml", "d.xml"), (b"%PDF-1.7", "application/pdf", "d.pdf"))
    made.add_attachment("<p>Dear colleagues</p>", subtype="html")
    made.add_attachment(b"\x89PNG", maintype="image", subtype="png", filename="logo.png")
    assert [one for one, _ in formats(made.as_bytes())] == ["wco-dec"]


def test_every_attachment_that_cannot_be_read_is_told_with_its_part() -> None:
    made = mail((b"<a/>", "text/xml", "a.xml"), (DECLARATION, "text/xml", "d.xml"), (b"<b>", "text/xml", "b.xml"))
    assert faults(made.as_bytes()) == [("unknown-format", "part 2"), ("not-well-formed", "part 4 > line 1")]
    empty = (
        DECLARATION.replace(b"GoodsShipment>", b"Goods>").replace(b"ID>", b"X>").replace(b"FunctionalReferenceX", b"X")
    )
    assert faults(mail((empty, "text/xml", "e.xml")).as_bytes())[0][1].startswith("part 2 > ")


def test_an_email_without_a_document_says_so() -> None:
    assert faults(mail().as_bytes()) == [("unknown-format", "part 1")]
    picture = mail((b"x", "image/png", "x.png"), text="")
    assert faults(picture.as_bytes()) == [("no-attachment", "")]


@pytest.mark.parametrize(
    "content",
    [
        DECLARATION,
        CARGO_REPORT.encode(),
        b'{"From:": 1}',
        b"",
        b"From: nobody\n\nno date, no id",
        b"QU ICNKECR\n.SELOZKE 010915\n" + CARGO_REPORT.encode(),
    ],
)
def test_a_document_is_no_email(content: bytes) -> None:
    assert not is_mail(Document(content))


def test_an_email_of_many_levels_or_parts_is_refused() -> None:
    deep = mail((b"<a/>", "text/xml", "a.xml"))
    for _ in range(MAX_DEPTH):
        outer = mail()
        outer.add_attachment(deep)
        deep = outer
    assert faults(deep.as_bytes()) == [("too-deep", "")]
    many = mail(*[(b"<a/>", "text/xml", "a.xml")] * (MAX_PARTS + 1))
    assert faults(many.as_bytes()) == [("too-many", "")]


def test_a_broken_email_never_breaks_the_reader() -> None:
    whole = mail((DECLARATION, "text/xml", "d.xml"), (CARGO_REPORT.encode(), "text/plain", "c.edi")).as_bytes()
    for end in range(0, len(whole), 97):
        document = Document(whole[:end])
        try:
            for one in documents_in(document):
                read_all([one], lambda _: ORIGIN)
        except TranslationError as error:
            assert error.faults  # noqa: PT017 (any refusal has its reason; nothing else is let through)
    odd = whole.replace(b"base64", b"x-unknown").replace(b'charset="utf-8"', b'charset="\xff"')
    assert attached(Document(odd))
