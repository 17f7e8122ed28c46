"""What the fields of a message mean, in words: the string literal below each field of its class, read from the source.

Python does not keep such strings. Only documents for clients need them, so the source is read when one is made.
"""

import ast
import inspect
import re
from functools import cache
from types import ModuleType

import msgspec

from pymesh.control.model.messages import Message

_NAME = re.compile(r"\b[a-z0-9]+(?:_[a-z0-9]+)+\b")


@cache
def field_docs(message: type[Message]) -> dict[str, str]:
    """By the field's name in Python, those of base classes included."""
    docs: dict[str, str] = {}
    for base in reversed(message.__mro__):
        if issubclass(base, Message) and base is not Message:
            docs |= _class_docs(_module_of(base)).get(base.__qualname__, {})
    return {name: _as_written(text, message) for name, text in docs.items()}


def class_doc(message: type[Message]) -> str:
    """Without what a subclass inherits; of a module's main class, how the module begins. Empty if there is none."""
    own = message.__dict__.get("__doc__")
    begin = inspect.cleandoc(_module_of(message).__doc__ or "").partition("\n\n")[0]
    is_main = begin.startswith(f"{message.__name__}: ")
    if own:
        return _as_written(_paragraphs(own), message)
    text = " ".join(begin.partition(": ")[2].split())
    return text[:1].upper() + text[1:] if is_main else ""


def _as_written(text: str, message: type[Message]) -> str:
    """Fields by the names that users write: `retryOn` for `retry_on`."""
    names = {field.name: field.encode_name for field in msgspec.structs.fields(message)}
    return _NAME.sub(lambda match: names.get(match[0], match[0]), text)


def _paragraphs(text: str) -> str:
    """Readers wrap lines at another width than sources."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in inspect.cleandoc(text).split("\n\n"))


def _module_of(message: type[Message]) -> ModuleType:
    module = inspect.getmodule(message)
    assert module is not None, message
    return module


@cache
def _class_docs(module: ModuleType) -> dict[str, dict[str, str]]:
    try:
        tree = ast.parse(inspect.getsource(module))
    except OSError:  # installed without sources
        return {}
    return {node.name: _docs_in(node) for node in tree.body if isinstance(node, ast.ClassDef)}


def _docs_in(node: ast.ClassDef) -> dict[str, str]:
    docs = {}
    for statement, after in zip(node.body, node.body[1:], strict=False):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            text = _literal(after)
            if text:
                docs[statement.target.id] = text
    return docs


def _literal(statement: ast.stmt) -> str:
    is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    value = statement.value.value if is_text else None  # type: ignore[attr-defined]
    return _paragraphs(value) if isinstance(value, str) else ""
