"""NCTS messages taken out of what they come in: XML of any prefix, an envelope around it, or JSON.

Owns the way from a document to trees of elements that look the same whichever form it had. Never knows what
an element means.

The JSON form is that of HMRC's transit interface: a member named after the message, with or without a prefix
(`n1:CC015C`); elements are members, repeated ones lists, attributes have an `@` before their name. What that
interface puts around a message is taken off: an object with the message in its `body`, also as XML in a text.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from lxml import etree

from adapters.document import (
    MAX_DEPTH,
    MAX_MARKUP,
    Document,
    Element,
    Findings,
    local_name,
    namespace,
    parse_xml,
    xml_text,
)
from adapters.ncts_codes import KINDS, NAMESPACE
from adapters.xml_repair import root_of
from schemas.errors import Fault, TranslationError

_XML_SIGNATURE = re.compile(rb"<(?:[\w.-]+:)?(CC[0-9]{3}C)[\s/>]")
_JSON_SIGNATURE = re.compile(rb"\"(?:[\w.-]+:)?(CC[0-9]{3}C)\"\s*:\s*\{")
# A message's name in any encoding of XML that leaves its letters apart by nulls.
_NAMED = re.compile(rb"C\x00{0,3}C\x00{0,3}(?:[0-9]\x00{0,3}){3}C")
# Text has no encoding any more, whatever its declaration says.
_DECLARATION = re.compile(r"^<\?xml[^>]*\?>")
_NAME = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
_BLANKS = b" \t\r\n\xef\xbb\xbf\xff\xfe\x00"
# How far into a document its message is looked for where it cannot be parsed.
_SIGNED_BYTES = 4096
# How deep a system puts a message as text: in the body of a list's entry. What stands deeper tries one out.
_MAX_WRAPPING = 4


def looks_like_json(document: Document) -> bool:
    """Tell whether the first character, in whatever encoding, opens a JSON object or list."""
    return document.content[:512].lstrip(_BLANKS).startswith((b"{", b"["))


def signed(document: Document) -> bool:
    """Tell by the document's first bytes, unparsed, whether a message of NCTS stands in it."""
    signatures = (_JSON_SIGNATURE, _XML_SIGNATURE) if looks_like_json(document) else (_XML_SIGNATURE,)
    start = document.content[:_SIGNED_BYTES].replace(b"\x00", b"")
    return any(found[1].decode() in KINDS for signature in signatures for found in signature.finditer(start))


def is_named(document: Document) -> bool:
    """Tell whether a message's name stands anywhere in the document: without one there is nothing to parse it for."""
    return _NAMED.search(document.content) is not None


def messages_of(document: Document, findings: Findings) -> list[Element]:
    """Return the messages of a document: its root, or what its envelope holds; none inside another.

    Raises:
        TranslationError: the document can be parsed neither as XML nor as JSON.
    """
    if looks_like_json(document):
        return _json_messages(document.content)
    return _xml_messages(root_of(document, findings))


def _xml_messages(root: Element) -> list[Element]:
    if _is_message(root):
        return [root]
    found: list[Element] = []
    for element in root.iterdescendants():
        if _is_message(element) and (not found or found[-1] not in element.iterancestors()):
            found.append(element)
    return found


def _is_message(element: Element) -> bool:
    """Elements of other systems of the Union (export, import) can have a message's name: theirs is another space."""
    uri = namespace(element)
    return local_name(element) in KINDS and (uri.startswith(NAMESPACE) or "dgtaxud.ec" not in uri)


def _json_messages(content: bytes) -> list[Element]:
    if content.count(b":") + content.count(b",") > MAX_MARKUP:
        raise TranslationError([Fault("too-much-markup", "", f"more than {MAX_MARKUP} members and values")])
    try:
        # Numbers stay the text that they are: a mass has as many digits as it was written with.
        found = json.loads(content, parse_int=str, parse_float=str, parse_constant=str, object_pairs_hook=_Members)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise TranslationError([Fault("not-well-formed", place, error.msg[:200])]) from None
    except RecursionError:
        raise TranslationError([Fault("too-deep", "", f"more than {MAX_DEPTH} levels")]) from None
    except ValueError:
        raise TranslationError([Fault("encoding", "", "the text is not in the encoding of JSON")]) from None
    return list(_found(found, 1))


def _found(value: Any, depth: int) -> Iterator[Element]:
    """Yield the messages in a JSON value: objects under a message's name, and texts that are XML."""
    if depth > MAX_DEPTH:
        raise TranslationError([Fault("too-deep", "", f"more than {MAX_DEPTH} levels")])
    if isinstance(value, _Members):
        for key, inner in value.pairs:
            name = key.rpartition(":")[2]
            if name in KINDS and isinstance(inner, _Members):
                root = etree.Element(f"{{{NAMESPACE}}}{name}")
                _fill(root, inner, 1)
                yield root
            else:
                yield from _found(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _found(inner, depth + 1)
    elif (
        isinstance(value, str)
        and depth <= _MAX_WRAPPING + 1
        and value.lstrip().startswith("<")
        and _XML_SIGNATURE.search(value.encode(errors="replace"))
    ):
        yield from _xml_messages(parse_xml(_DECLARATION.sub("", value.lstrip()).encode(errors="replace")))


class _Members:
    """A JSON object as its members in order: a name that is told twice is two elements, and neither is lost."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        self.pairs = pairs


def _fill(parent: Element, members: _Members, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise TranslationError([Fault("too-deep", "", f"more than {MAX_DEPTH} levels")])
    for key, value in members.pairs:
        name = key.rpartition(":")[2]
        if _NAME.fullmatch(name):
            for one in value if isinstance(value, list) else [value]:
                _add(parent, name, one, depth)


def _add(parent: Element, name: str, value: Any, depth: int) -> None:
    if value is None or isinstance(value, list):
        return
    element: Element = etree.SubElement(parent, name)
    if isinstance(value, _Members):
        _fill(element, value, depth + 1)
    elif isinstance(value, bool):
        element.text = "1" if value else "0"
    else:
        element.text = xml_text(str(value))
