"""What a store writes into metadata. Pure: time and chance are arguments."""

from datetime import datetime
from typing import Any

import msgspec

from pymesh.control.model.resource import Resource


def format_timestamp(time: datetime) -> str:
    """RFC 3339 with microseconds; text order is time order."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def stamp_created(resource: Resource[Any], revision: int, now: datetime, uid: str) -> Resource[Any]:
    metadata = msgspec.structs.replace(
        resource.metadata,
        creation_timestamp=format_timestamp(now),
        uid=uid,
        generation=1,
        resource_version=str(revision),
    )
    return msgspec.structs.replace(resource, metadata=metadata)


def stamp_replaced(old: Resource[Any], new: Resource[Any], revision: int) -> Resource[Any]:
    """`old` itself where nothing differs."""
    metadata = msgspec.structs.replace(
        new.metadata,
        creation_timestamp=old.metadata.creation_timestamp,
        uid=old.metadata.uid,
        generation=old.metadata.generation,
        resource_version=old.metadata.resource_version,
        deletion_timestamp=new.metadata.deletion_timestamp or old.metadata.deletion_timestamp,
        deletion_grace_period_seconds=old.metadata.deletion_grace_period_seconds
        if new.metadata.deletion_grace_period_seconds is None
        else new.metadata.deletion_grace_period_seconds,
    )
    is_same_spec = old.spec == new.spec and old.written_fields == new.written_fields
    if is_same_spec and metadata == old.metadata and new.status == old.status:
        return old
    stamped = msgspec.structs.replace(
        metadata,
        resource_version=str(revision),
        generation=metadata.generation + (not is_same_spec),
    )
    return msgspec.structs.replace(new, metadata=stamped)


def stamp_deleted(resource: Resource[Any], revision: int) -> Resource[Any]:
    metadata = msgspec.structs.replace(resource.metadata, resource_version=str(revision))
    return msgspec.structs.replace(resource, metadata=metadata)
