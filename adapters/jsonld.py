"""JSON-LD as far as ONE Record uses it: expanded and compact, with a graph, embedded or linked by `@id`.

Owns what a name means under the context that stands in the document. Never fetches a context: under one
that lies elsewhere, names without a prefix are taken for the vocabulary asked for.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from adapters.document import Findings
from schemas.errors import Fault, TranslationError

# What JSON can hold and no message may: control characters, and halves of characters.
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


# A page of a carrier's events with all their pieces has some thousands; each takes half a kilobyte.
MAX_NODES = 100_000


@dataclass(eq=False, slots=True)
class Node:
    """One object; nodes of one `@id` are one. `types` and the names of `fields` are local names."""

    id: str | None = None
    types: list[str] = field(default_factory=list)
    fields: dict[str, list["Node | str"]] = field(default_factory=dict)
    place: str = "/"

    def texts(self, name: str) -> list[str]:
        """Return the texts of a field; of a node its code or else its local name."""
        return [one if isinstance(one, str) else one.code() for one in self.fields.get(name, ())]

    def code(self) -> str:
        """Return what the node stands for where it is an element of a list of codes."""
        return next((one for one in self.fields.get("code", ()) if isinstance(one, str)), local(self.id or ""))

    def text(self, *names: str, limit: int = 512) -> str | None:
        """Return the first text of the first of these fields that has one: on one line, cut to `limit`."""
        for name in names:
            for said in self.texts(name):
                text = said if said.isprintable() else _NO_TEXT.sub("", said)
                found = " ".join(text.split())[:limit].strip()
                if found:
                    return found
        return None

    def nodes(self, *names: str) -> list["Node"]:
        """Return the nodes that stand in these fields."""
        return [one for name in names for one in self.fields.get(name, ()) if isinstance(one, Node)]

    def is_a(self, *types: str) -> bool:
        """Tell whether it is of one of these types."""
        return any(one in types for one in self.types)


@dataclass(frozen=True, slots=True)
class _Context:
    """Prefixes and terms in force; `vocabulary` is what a bare name belongs to, `aliases` are names of keywords."""

    terms: dict[str, str]
    vocabulary: str | None
    aliases: dict[str, str] = field(default_factory=dict)


# Elements of the code lists have the list's name before them: `…/coreCodeLists#StatusCode_DEP`.
_OF_LIST = re.compile(r"[cC]odeLists?#[A-Za-z]+_(\w+)$")
_MARKS = re.compile(r"[#/:]")


def local(iri: str) -> str:
    """Return the local name of an IRI: after its last `#`, `/` or `:`; of an element of a code list its code."""
    name = iri.strip()
    listed = _OF_LIST.search(name[-256:]) if "odeList" in name else None
    return listed[1] if listed is not None else _MARKS.split(name)[-1]


class Graph:
    """The nodes of a document, in the order in which they first stand there."""

    def __init__(self, content: Any, vocabularies: dict[str, str], findings: Findings) -> None:
        """Read parsed JSON; `vocabularies` are the IRIs that count, by the prefix they go under by custom.

        Raises:
            TranslationError: it holds more than `MAX_NODES` objects.
        """
        self._vocabularies = vocabularies
        self._findings = findings
        self._by_id: dict[str, Node] = {}
        self._told: set[str] = set()
        self.nodes: list[Node] = []
        for _ in self._read(content, _Context({}, None), ""):
            pass

    def holders(self, *names: str) -> dict[int, list[Node]]:
        """Return, by the identity of each node that stands in one of these fields, what it stands in."""
        found: dict[int, list[Node]] = {}
        for node in self.nodes:
            for held in node.nodes(*names):
                found.setdefault(id(held), []).append(node)
        return found

    def of_type(self, *types: str) -> Iterator[Node]:
        """Yield every node of one of these types."""
        return (node for node in self.nodes if node.is_a(*types))

    def _read(self, value: Any, context: _Context, place: str) -> Iterator["Node | str"]:
        if isinstance(value, list):
            for at, one in enumerate(value):
                yield from self._read(one, context, f"{place}/{at}")
        elif isinstance(value, dict):
            yield from self._object(value, context, place)
        elif isinstance(value, bool):
            yield "true" if value else "false"
        elif isinstance(value, str):
            yield value

    def _object(self, value: dict[str, Any], context: _Context, place: str) -> Iterator["Node | str"]:
        if "@context" in value:
            context = self._context(value["@context"], context)
        named = {context.aliases.get(name, name): name for name in value}
        for keyword in ("@value", "@list", "@set"):
            if keyword in named:
                yield from self._read(value[named[keyword]], context, place)
                return
        node = self._node(value.get(named.get("@id", "")), context, place)
        types = value.get(named.get("@type", ""), [])
        for one in types if isinstance(types, list) else [types]:
            if isinstance(one, str) and local(one) not in node.types:
                node.types.append(local(one))
        for name, inner in value.items():
            keyword = context.aliases.get(name, name)
            below = f"{place}/{name if name.isprintable() else _NO_TEXT.sub('', name)}"[: len(place) + 81]
            if keyword in ("@graph", "@included"):
                for _ in self._read(inner, context, below):
                    pass
            elif not keyword.startswith("@"):
                known = self._name(keyword, context)
                # What is of another vocabulary is walked all the same: it may hold nodes of this one.
                found = list(self._read(inner, context, below))
                if known is not None and found:
                    node.fields.setdefault(known, []).extend(found)
        yield node

    def _node(self, id_: Any, context: _Context, place: str) -> Node:
        """The node of an `@id`, the same each time; a new one where there is none."""
        name = self._iri(id_.strip(), context) if isinstance(id_, str) and id_.strip() else None
        node = self._by_id.get(name) if name else None
        if node is None:
            if len(self.nodes) == MAX_NODES:
                raise TranslationError([Fault("too-many", place[:256], f"more than {MAX_NODES} objects")])
            node = Node(name, place=place[:512] or "/")
            self.nodes.append(node)
            if name:
                self._by_id[name] = node
        return node

    def _context(self, value: Any, context: _Context) -> _Context:
        """Read an inline context; of one that lies elsewhere only its address is known."""
        terms, vocabulary = dict(context.terms), context.vocabulary
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str):
                self._tell("context-not-fetched", "a context that lies elsewhere is not fetched: read by name")
                vocabulary = vocabulary or next(iter(self._vocabularies.values()))
            elif isinstance(one, dict):
                for term, meaning in one.items():
                    target = meaning.get("@id") if isinstance(meaning, dict) else meaning
                    if term == "@vocab" and isinstance(target, str):
                        vocabulary = target
                    elif isinstance(target, str):
                        terms[term] = target
        return _Context(terms, vocabulary, {term: meaning for term, meaning in terms.items() if meaning[:1] == "@"})

    def _iri(self, name: str, context: _Context) -> str:
        """Expand a compact IRI or a term; a chain of prefixes no further than once."""
        if name in context.terms:
            name = context.terms[name]
        prefix, colon, rest = name.partition(":")
        if colon and not rest.startswith("//"):
            known = context.terms.get(prefix)
            if known is None and prefix in self._vocabularies:
                self._tell("undeclared-prefix", "a prefix of ONE Record that is not declared is read as if it were")
                known = self._vocabularies[prefix]
            return known + rest if known is not None else name
        return name if colon else (context.vocabulary or "") + name

    def _name(self, key: str, context: _Context) -> str | None:
        """The local name of a property, if it is of a vocabulary that counts."""
        iri = self._iri(key, context)
        for vocabulary in self._vocabularies.values():
            if iri.startswith(vocabulary):
                return local(iri)
        if ":" not in iri and context.vocabulary is None and not context.terms:
            self._tell("no-context", "names without a context are read by themselves")
            return iri
        return None

    def _tell(self, code: str, detail: str) -> None:
        if code not in self._told:
            self._told.add(code)
            self._findings.warn(code, "/@context", detail)
