"""Protobuf's message classes, made of a table and not of generated code: as much of an API as is spoken here."""

from collections.abc import Mapping
from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

Messages = Mapping[str, tuple[str, ...]]


def build_messages(package: str, messages: Messages) -> dict[str, Any]:
    """The class of each message by its name. A field is "name number type"; `*` before the type is repeated, `?` a
    member of the message's one oneof; a map is a repeated message with `key 1` and `value 2`.

    The pool is their own, so nobody else's declaration of the same names collides with these. Fields that are not
    declared are skipped when a message is read.
    """
    file = FileDescriptorProto(name=f"{package.replace('.', '/')}.proto", package=package, syntax="proto3")
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        if any("?" in field for field in fields):
            message.oneof_decl.add(name="value")
        message.field.extend(_build_field(package, messages, *field.split()) for field in fields)
    pool = DescriptorPool()
    pool.Add(file)
    return {name: GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}")) for name in messages}


def _build_field(package: str, messages: Messages, name: str, number: str, kind: str) -> FieldDescriptorProto:
    type_name = kind.lstrip("*?")
    label = FieldDescriptorProto.LABEL_REPEATED if kind[0] == "*" else FieldDescriptorProto.LABEL_OPTIONAL
    field = FieldDescriptorProto(name=name, number=int(number), label=label)
    if type_name in messages:
        field.type = FieldDescriptorProto.TYPE_MESSAGE
        field.type_name = f".{package}.{type_name}"
    else:
        field.type = FieldDescriptorProto.Type.Value(f"TYPE_{type_name.upper()}")
    if kind[0] == "?":
        field.oneof_index = 0
    return field
