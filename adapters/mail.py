"""Documents that come by e-mail: an Internet message (RFC 5322) taken apart into the documents in it.

Owns what counts as an e-mail, and which of its MIME parts (RFC 2045, RFC 2046, RFC 2183) are documents. Never reads
a document, never follows a link, and looks at no address: who sent an e-mail proves nothing, the folder that it
lies in says whose adapter takes it.
"""

import email
import re
from dataclasses import dataclass
from email.message import Message as Part

from adapters.document import Document
from schemas.errors import Fault, TranslationError

# Partners attach a document or a few; a mailing with more is no exchange of documents.
MAX_PARTS = 100
# A forwarded message in a forwarded message …; more is a bomb.
MAX_DEPTH = 10
# Of headers, so much is looked at to tell an e-mail from a document.
_HEAD_BYTES = 16 * 1024
_FIELD = re.compile(rb"(?:From [^\n]*\n)?[!-9;-~]{1,70}:[ \t]*[^\n]*\n")
_ORIGIN = re.compile(rb"^(?:from|received|return-path|delivered-to):", re.IGNORECASE | re.MULTILINE)
_INTERNET = re.compile(rb"^(?:mime-version|message-id|date|content-type):", re.IGNORECASE | re.MULTILINE)
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
# What accompanies a document and is none: pictures, signatures of the mail system, the same text once more for reading.
_COMPANIONS = re.compile(
    r"(?:image|audio|video|font)/.*|text/(?:html|calendar|x-vcard|vcard|rtf)|message/(?:delivery-status|.*notification)"
    r"|application/(?:pdf|(?:x-)?pkcs7-signature|pgp-signature|ms-tnef)"
)


@dataclass(frozen=True, slots=True)
class Attached:
    """One document in an e-mail."""

    name: str
    """Its file name, or an empty string; for people only."""
    place: str
    """Which part of the e-mail it is."""
    content: bytes
    said: bool
    """Whether it is a text of the e-mail itself, which may as well be a covering note."""


def is_mail(document: Document) -> bool:
    """Tell whether a document is an e-mail: it begins with header fields, those of a message among them."""
    head = document.content[:_HEAD_BYTES].lstrip(b"\r\n")
    if _FIELD.match(head) is None:
        return False
    head = _BLANK_LINE.split(head, maxsplit=1)[0] + b"\n"
    return _ORIGIN.search(head) is not None and _INTERNET.search(head) is not None


def attached(document: Document) -> list[Attached]:
    """Return the documents in an e-mail, in order: attachments of any kind that can be one, and its own texts.

    Raises:
        TranslationError: it has too many parts or too many levels, or nothing in it can be a document.
    """
    try:
        found = _parts(email.message_from_bytes(document.content), "", 0)
    except RecursionError:
        found = None
    if found is None:
        raise TranslationError([Fault("too-deep", "", f"an e-mail of more than {MAX_DEPTH} levels")])
    if len(found) > MAX_PARTS:
        raise TranslationError([Fault("too-many", "", f"an e-mail of more than {MAX_PARTS} parts")])
    if not found:
        raise TranslationError([Fault("no-attachment", "", "an e-mail with nothing in it that can be a document")])
    return found


def _parts(part: Part, place: str, depth: int) -> list[Attached] | None:
    """The documents in a part and below it; None where it goes too deep."""
    if depth > MAX_DEPTH:
        return None
    if part.is_multipart():
        found: list[Attached] = []
        for number, inner in enumerate(part.get_payload(), 1):
            below = _parts(inner, f"{place}{number}.", depth + 1)
            if below is None:
                return None
            found += below
            if len(found) > MAX_PARTS:
                break
        return found
    kind = part.get_content_type()
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes) or not content.strip() or _COMPANIONS.fullmatch(kind):
        return []
    name = _name(part)
    said = kind == "text/plain" and not name and part.get_content_disposition() != "attachment"
    return [Attached(name, f"part {place.removesuffix('.') or '1'}", content, said)]


def _name(part: Part) -> str:
    try:
        return part.get_filename() or ""
    except (ValueError, LookupError, TypeError):
        # A name in an encoding that nobody knows, or in none.
        return ""
