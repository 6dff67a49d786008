"""What an EPCIS event is about: things by their keys, batches by quantity, the papers of a transaction.

Owns how the URIs and words of the standard are read. Never knows what an event means.
"""

import functools
import re
from decimal import Decimal, InvalidOperation
from typing import Any

from adapters.document import Identifiers
from adapters.epcis_keys import MAX_URI, Key, comes_back, read_key
from adapters.json_document import Node, clean
from adapters.profile import Profile
from schemas.codes import container_warning
from schemas.shipment import Document, Goods, Means

FAMILY = "epcis"
# Beyond this a message would near its limit of 1 MiB; the rest is told in a warning.
MAX_THINGS = 2_000
MAX_GOODS = 500
URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
# What is written as a URI again, and so is told from the texts of other formats.
PLAIN_URI = re.compile(r"[a-z][a-z0-9+.-]*:[!-~]+")
EPCS = ("epcList", "childEPCs", "inputEPCList", "outputEPCList")
QUANTITIES = ("quantityList", "childQuantityList", "inputQuantityList", "outputQuantityList")
_AMOUNT = frozenset({"epcClass", "quantity", "uom", "@context", "id", "type"})
_WORD = re.compile(r"\w+", re.ASCII)
_CBV = re.compile(
    r"(?:urn:epcglobal:cbv:(?:bizstep|disp|btt|sdt|er):"
    # The last is that of the drafts of 2.0.
    r"|(?:https?://(?:ref|ns)\.gs1\.org/(?:standards/)?cbv/|cbv:|https?://(?:www\.)?gs1\.org/voc/)"
    r"(?:BizStep|Disp|BTT|SDT|ER)-)(\w+)",
    re.IGNORECASE | re.ASCII,
)


def uri_of(node: Node, name: str) -> str | None:
    """Return a URI; one that is too long is left out, because a cut one is another."""
    value = node.value.get(name)
    if isinstance(value, str) and len(value.strip()) > MAX_URI:
        node.warn("too-long", name, f"a URI of more than {MAX_URI} characters; left out")
        return None
    return node.text(name)


@functools.lru_cache(maxsize=1024)
def cbv_word(value: str) -> str | None:
    """Return the short form of a word of the vocabulary (URN, URI, CURIE or bare); None where it is another's."""
    match = _CBV.fullmatch(value)
    if match:
        return match[1].lower()
    return value if _WORD.fullmatch(value) else None


def known(node: Node, name: str, table: Any) -> str | None:
    """Return a member's word that is in a table. A bare word that is in none is a fault, a URI is another's."""
    stated = node.text(name)
    if stated is None:
        return None
    if stated in table:
        return stated
    word = cbv_word(stated)
    if word in table:
        return word
    if word == stated:
        node.fault(_CODES[name], name, "no word of the Core Business Vocabulary, and no URI of another")
    elif word is not None:
        node.warn(_CODES[name], name, "no word of the Core Business Vocabulary; left out")
    return None


_CODES = {"bizStep": "biz-step", "disposition": "disposition", "type": "transaction-type"}


class Things:
    """What an event is about: things by their keys, batches by quantity, and the papers of a transaction."""

    def __init__(self, node: Node, profile: Profile) -> None:
        self.means: Means | None = None
        self._identifiers = Identifiers()
        self._classes: list[Key] = []
        self._documents: list[Document] = []
        self._kept: set[tuple[str, str]] = set()
        self._goods: list[Goods] = []
        self._schemes = profile.table(FAMILY, "key_scheme")
        self._read(node)
        self._transactions(node, profile)

    def settled(self) -> tuple[list[Any], list[Document], list[Goods]]:
        """Return identifiers, documents and goods; a batch identifies where nothing better does."""
        if not self._identifiers:
            for key in self._classes:
                self._identifiers.add("other", key.value, f"GS1 {key.kind.upper()}")
        if not self._identifiers and self.means is not None:
            self._identifiers.add("other", f"IMO{self.means.value}")
        return self._identifiers.as_list(), self._documents, self._goods

    def _read(self, node: Node) -> None:
        parent = uri_of(node, "parentID")
        uris = [(parent, "parentID")] if parent else []
        for name in EPCS:
            listed = node.value.get(name)
            if listed is not None and not isinstance(listed, list):
                node.warn("shape", name, "is a list in the standard; left out")
                continue
            for number, uri in enumerate(listed or []):
                fits = isinstance(uri, str) and len(uri) <= MAX_URI
                uris.append((uri.strip() if fits else "", f"{name}/{number}"))
        if len(uris) > MAX_THINGS:
            node.warn("more-things", "", f"{len(uris) - MAX_THINGS} of {len(uris)} EPCs are not carried")
        for uri, name in uris[:MAX_THINGS]:
            self._thing(uri, name, node)
        amounts = [one for name in QUANTITIES for one in node.nodes(name)]
        if node.value.get("type") == "QuantityEvent":
            amounts.append(node)
        for one in amounts[:MAX_GOODS]:
            self._amount(one, node)
        if len(amounts) > MAX_GOODS:
            node.warn("more-things", "", f"{len(amounts) - MAX_GOODS} of {len(amounts)} quantities are not carried")

    def _thing(self, uri: str, name: str, node: Node) -> None:
        if not PLAIN_URI.fullmatch(uri):
            node.warn("epc", name, "an EPC is a URI of at most 512 characters; left out")
            return
        key = read_key(uri)
        if not key.sound:
            node.warn("check-digit", name, "the check digit of the GS1 key does not match")
        if key.kind == "bic" and (odd := container_warning(key.value)):
            node.warn("container", name, odd)
        if key.kind == "imovn":
            self.means = self.means or Means(scheme="imo", value=key.value)
        elif key.of_class:
            self._classes.append(key)
            self._goods.append(Goods(description=uri))
        elif len(key.value) > 256:
            node.warn("epc", name, "an identifier has at most 256 characters; left out")
        else:
            issuer = None if key.kind in ("bic", "uri") else f"GS1 {key.kind.upper()}"
            self._identifiers.add(self._schemes.get(key.kind, "other"), key.value, issuer)
            # Identifiers are in upper case, and a key with small letters is another one in capitals: it is kept as it
            # was, and so is what could not be written again.
            if not comes_back(key):
                self._keep(Document(type="epc", id=uri))

    def _keep(self, document: Document) -> None:
        known = (document.type or "", document.id)
        if known not in self._kept:
            self._kept.add(known)
            self._documents.append(document)

    def _amount(self, one: Node, node: Node) -> None:
        uri = uri_of(one, "epcClass")
        if uri is None or not PLAIN_URI.fullmatch(uri):
            one.warn("epc", "epcClass", "a class of EPCs is a URI; left out")
            return
        key = read_key(uri)
        if key.of_class:
            self._classes.append(key)
        unknown = [name for name in one.value if name not in _AMOUNT and ":" not in name] if one is not node else []
        if unknown:
            # It may well be how much there is of it.
            one.fault("unknown-member", clean(unknown[0])[:80], "a quantity has epcClass, quantity and uom")
        words = [uri, _quantity(one), one.text("uom")]
        if words[1] is None or not re.fullmatch(r"[A-Z0-9]{2,3}", words[2] or "", re.ASCII):
            words = words[:2]
        self._goods.append(Goods(description=" ".join(word for word in words if word)))

    def _transactions(self, node: Node, profile: Profile) -> None:
        schemes = profile.table(FAMILY, "biz_transaction")
        for one in node.nodes("bizTransactionList")[:MAX_GOODS]:
            uri = uri_of(one, "bizTransaction")
            stated = one.text("type")
            type_ = known(one, "type", schemes)
            if type_ is None and stated and cbv_word(stated) is None:
                type_ = stated if PLAIN_URI.fullmatch(stated) else None
                if type_ is None:
                    one.warn("transaction-type", "type", "a type of another vocabulary is a URI; left out")
            if uri is None or not PLAIN_URI.fullmatch(uri):
                one.warn("transaction", "bizTransaction", "a business transaction is a URI; left out")
                continue
            self._keep(Document(type=type_, id=uri) if type_ else Document(id=uri))
            self._identifiers.add(schemes.get(type_ or "", "other"), *transaction_reference(uri))


def transaction_reference(uri: str) -> tuple[str, str | None]:
    """Return what a business transaction is known by, and who gave the number (CBV 2.0, 8.5)."""
    found = re.fullmatch(r"urn:epcglobal:cbv:bt:([0-9]{13}):(\S+)", uri, re.IGNORECASE | re.ASCII)
    if found:
        return found[2], f"GLN {found[1]}"
    key = read_key(uri)
    return key.value, None if key.kind == "uri" else f"GS1 {key.kind.upper()}"


def _quantity(one: Node) -> str | None:
    value = one.value.get("quantity")
    if value is None or value == "" or isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        one.fault("quantity", "quantity", "a quantity is a number")
        return None
    # What a JSON number holds everywhere; more digits come back as others.
    if not number.is_finite() or not -15 < number.adjusted() < 15 or len(number.normalize().as_tuple().digits) > 15:
        one.warn("quantity", "quantity", "not a number of at most fifteen digits; left out")
        return None
    return format(number.normalize(), "f") if number else "0"
