"""Decodes UN/EDIFACT: by byte-order mark, by the shape of UTF-16, by UNB's syntax identifier, UTF-8 by its form.

Owns encodings alone. Never splits a text.
"""

import codecs
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from adapters.document import Findings

# UNB stands in this much of a document, or it is decoded as ASCII or UTF-8.
_LOOK_BYTES = 4096
_SYNTAX = re.compile(
    r"UNB[^\w \t\r\n]\s*(?P<level>[A-Za-z0-9]{2,4}?[A-Za-z])(?=[^\w])[^\w]?(?P<version>[1-9])?", re.DOTALL
)


def codec_of(head: str, charsets: Mapping[str, Any], findings: Findings) -> str:
    """Return the codec that UNB's syntax identifier (S001, 0001) asks for."""
    match = _SYNTAX.search(head.replace("\r", "").replace("\n", ""))
    if match is None:
        return "ascii"
    level = match["level"].upper()
    found = charsets.get(level)
    if found is None:
        findings.warn("syntax-identifier", "UNB", "S001 0001 names no repertoire that is known; read as ASCII or UTF-8")
    return str(found or "ascii")


def texts(chunks: Iterable[bytes], findings: Findings, charsets: Mapping[str, Any]) -> Iterator[str]:
    """Decode: by byte-order mark, by the shape of UTF-16, else by UNB, with UTF-8 told by its form."""
    source = iter(chunks)
    head = b""
    for chunk in source:
        head += chunk
        if len(head) >= _LOOK_BYTES:
            break
    codec, skip = _marked(head)
    if codec:
        if codec != "utf-8":
            findings.warn("encoding", "UNB", f"the document is in {codec.upper()}, which no syntax identifier means")
        decoder = codecs.getincrementaldecoder(codec)("replace")
        yield decoder.decode(head[skip:])
        for chunk in source:
            yield decoder.decode(chunk)
        yield decoder.decode(b"", True)
        return
    declared = codec_of(head.decode("latin-1"), charsets, findings)
    yield from _declared([head], source, declared, findings)


def _declared(first: list[bytes], source: Iterator[bytes], declared: str, findings: Findings) -> Iterator[str]:
    """Decode by what UNB declares, unless the bytes beyond ASCII are plainly UTF-8."""
    decoder: Any = None
    for chunks in (first, source):
        for chunk in chunks:
            if decoder is None:
                if chunk.isascii() and b"\x1b" not in chunk:
                    yield chunk.decode("ascii")
                    continue
                decoder = _decoder(chunk, declared, findings)
            yield decoder.decode(chunk)
    if decoder is not None:
        yield decoder.decode(b"", True)


def _decoder(chunk: bytes, declared: str, findings: Findings) -> Any:
    codec = declared
    if declared != "utf-8" and not chunk.isascii() and not declared.startswith("iso2022"):
        try:
            codecs.getincrementaldecoder("utf-8")("strict").decode(chunk)
            codec = "utf-8"
        except UnicodeDecodeError:
            codec = "latin-1" if declared == "ascii" else declared
        if codec != declared:
            detail = f"characters beyond the repertoire that UNB declares; read as {codec.upper()}"
            findings.warn("character-set", "UNB", detail)
    return codecs.getincrementaldecoder(codec)("replace")


def _marked(head: bytes) -> tuple[str, int]:
    """Tell an encoding by its byte-order mark or, of UTF-16, by its zeros; with how many bytes to skip."""
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8", 3
    if head.startswith(codecs.BOM_UTF16_LE):
        return "utf-16-le", 2
    if head.startswith(codecs.BOM_UTF16_BE):
        return "utf-16-be", 2
    if head[:512].count(0) > len(head[:512]) // 3:
        return ("utf-16-le" if head[1:512:2].count(0) >= head[0:512:2].count(0) else "utf-16-be"), 0
    return "", 0
