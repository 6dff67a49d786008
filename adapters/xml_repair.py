"""XML that a parser refuses over what no reader needs, put right: prefixes, comments, characters, encodings.

Owns these repairs and telling of each. Never reads what a document says, and never guesses where a tag should
have been closed.
"""

import base64
import hashlib
import re
from collections.abc import Callable

from adapters.document import Document, Element, Findings, parse_xml
from schemas.errors import TranslationError

# Up to the name of the root element; nothing is tried twice.
_PROLOG = re.compile(rb"(?:\xef\xbb\xbf)?(?>\s|<\?.*?\?>|<!--.*?-->)*+<[A-Za-z_][\w.:-]*", re.DOTALL)
_USED = (re.compile(rb"</?([A-Za-z_][\w.-]{0,63}):"), re.compile(rb"\s([A-Za-z_][\w.-]{0,63}):[\w.-]+\s*="))
_REFERENCE = re.compile(rb"&#(?:x0{0,8}([0-9A-Fa-f]{1,6})|0{0,8}([0-9]{1,7}));")
_DECLARED = re.compile(rb"(<\?xml[^>]*?)\s+encoding\s*=\s*[\"'][^\"']*[\"']")
# Every byte that no XML 1.0 document may hold (production 2), in encodings that have ASCII in them.
_CONTROLS = bytes(code for code in range(1, 0x20) if code not in (0x09, 0x0A, 0x0D))
# What stands where an attachment was, before the SHA-256 of what was attached, in hexadecimal.
FINGERPRINT = "sha256:"
# libxml2 takes ten million characters in one text; what attaches one may itself stand in an envelope, escaped.
_ATTACHED = re.compile(rb"(>|&gt;)([A-Za-z0-9+/=\s]{1000000,})(<|&lt;)")
# Documents with more prefixes than these have one cause.
_MAX_PREFIXES = 10


def root_of(document: Document, findings: Findings) -> Element:
    """Return the root element, repaired where a reader can do without what is wrong.

    Raises:
        TranslationError: it is not well-formed for another reason; the faults are the parser's.
    """
    try:
        return document.xml
    except TranslationError as error:
        if b"\x00" in document.content[:512]:
            raise
        failed, content, told = error, document.content, []
    # Each repair shows the next fault; none is tried twice.
    left = dict(_REPAIRS)
    while left:
        sign = next((one for one in left if any(one.search(fault.detail) for fault in failed.faults)), None)
        repair = left.pop(sign) if sign is not None else None
        made = repair(content) if repair is not None else None
        if made is None:
            raise failed
        content, code, detail = made
        told.append((code, detail))
        try:
            root = parse_xml(content)
        except TranslationError as error:
            failed = error
            continue
        for code, detail in told:
            findings.warn(code, "line 1", detail)
        return root
    raise failed


def _declared(content: bytes) -> tuple[bytes, str, str] | None:
    """Prefixes that are used and never declared, declared at the root."""
    match = _PROLOG.match(content)
    if match is None:
        return None
    at = match.end()
    root = content[at : content.find(b">", at)]
    used = {prefix for sign in _USED for prefix in sign.findall(content)}
    known = set(re.findall(rb"\sxmlns:([\w.-]+)\s*=", root))
    prefixes = sorted(used - known - {b"xml", b"xmlns"})[:_MAX_PREFIXES]
    if not prefixes:
        return None
    spaces = b"".join(b' xmlns:%b="urn:undeclared:%b"' % (prefix, prefix) for prefix in prefixes)
    named = ", ".join(prefix.decode(errors="replace")[:64] for prefix in prefixes)
    return content[:at] + spaces + content[at:], "undeclared-prefix", f"never declared, read as if they were: {named}"


def _without_comments(content: bytes) -> tuple[bytes, str, str]:
    """Comments are for people; in their stead stand their line ends, so that every place stays what it was."""
    kept: list[bytes] = []
    at = 0
    while (start := content.find(b"<!", at)) >= 0:
        comment, section = content.startswith(b"<!--", start), content.startswith(b"<![CDATA[", start)
        end = content.find(b"-->" if comment else b"]]>", start + 4) if comment or section else -1
        if end < 0:
            kept.append(content[at : start + 2])
            at = start + 2
            if comment or section:
                break
            continue
        kept.append(content[at:start])
        within = content[start : end + 3]
        kept.append(b"\n" * within.count(b"\n") if comment else within)
        at = end + 3
    kept.append(content[at:])
    return b"".join(kept), "comment-form", "a comment with -- in it: comments are passed over"


def _without_controls(content: bytes) -> tuple[bytes, str, str]:
    """Characters that XML cannot hold, as they are and as references."""
    return (
        _REFERENCE.sub(_reference, content.translate(None, _CONTROLS)),
        "control-character",
        "characters that XML does not have were left out",
    )


def _reference(match: re.Match[bytes]) -> bytes:
    code = int(match[1], 16) if match[1] else int(match[2])
    allowed = code in (0x09, 0x0A, 0x0D) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD
    return match[0] if allowed or 0x10000 <= code <= 0x10FFFF else b""


def _from_its_start(content: bytes) -> tuple[bytes, str, str] | None:
    at = content.find(b"<?xml")
    blank = at > 0 and not content[:at].strip(b" \t\r\n\xef\xbb\xbf")
    return (content[at:], "leading-blanks", "blanks before the XML declaration were taken away") if blank else None


def _recoded(content: bytes) -> tuple[bytes, str, str] | None:
    """Text that says it is UTF-8 and holds bytes that cannot be, as the Windows-1252 that it mostly is."""
    declared = re.match(rb"\s*(?:\xef\xbb\xbf)?<\?xml[^>]*?encoding\s*=\s*[\"']([^\"']*)", content[:512])
    if declared is not None and declared[1].upper() not in (b"UTF-8", b"UTF8", b"US-ASCII", b"ASCII"):
        return None
    try:
        content.decode()
    except UnicodeDecodeError:
        # Five bytes of Windows-1252 mean nothing; what XML cannot hold is left out.
        decoded = _DECLARED.sub(rb"\1", content, count=1).decode("cp1252", "replace")
        return decoded.encode(), "encoding", "not in the encoding it says: read as Windows-1252"
    return None


def _cut(content: bytes) -> tuple[bytes, str, str] | None:
    """Attachments longer than a parser takes, each by its fingerprint, which is all that anybody takes of one."""
    cut = _ATTACHED.sub(_fingerprint, content)
    return None if cut == content else (cut, "attachment-cut", "an attachment of megabytes is known by its SHA-256")


def _fingerprint(match: re.Match[bytes]) -> bytes:
    try:
        attached = base64.b64decode(b"".join(match[2].split()), validate=True)
    except ValueError:
        return match[0]
    return match[1] + FINGERPRINT.encode() + hashlib.sha256(attached).hexdigest().encode() + match[3]


_Repair = Callable[[bytes], tuple[bytes, str, str] | None]
# By the words of libxml2, whose codes are the same for several of these.
_REPAIRS: dict[re.Pattern[str], _Repair] = {
    re.compile(r"prefix", re.I): _declared,
    re.compile(r"hyphen|within comment", re.I): _without_comments,
    re.compile(r"encod|UTF-8", re.I): _recoded,
    re.compile(r"invalid xmlChar|invalid Char|invalid character", re.I): _without_controls,
    re.compile(r"too long|too big|huge", re.I): _cut,
    re.compile(r"declaration allowed only at the start", re.I): _from_its_start,
}
