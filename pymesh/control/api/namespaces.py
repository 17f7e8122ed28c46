"""Namespaces as the API shows them: those that were created, and those that are there because objects are in them.

Nobody has to create a namespace before it is used, unlike in Kubernetes.
"""

from typing import Any

from pymesh.control.api.status import RequestError
from pymesh.control.model.core import Namespace
from pymesh.control.model.kinds import NAMESPACE, Kind
from pymesh.control.model.resource import Key, Metadata, Resource
from pymesh.control.store.store import ConfigStore
from pymesh.names import DEFAULT_NAMESPACE


def initial_status(kind: Kind) -> dict[str, Any]:
    """A namespace can be used at once; of other kinds there is nothing to say yet."""
    return {"phase": "Active"} if kind is NAMESPACE else {}


async def find_object(store: ConfigStore, key: Key) -> Resource[Any] | None:
    """The stored object, or a Namespace that is only implied."""
    stored = await store.get(*key)
    if stored is not None or key.kind != NAMESPACE.name:
        return stored
    return (await _implied_namespaces(store)).get(key.name)


async def list_objects(store: ConfigStore, kind: Kind, namespace: str | None) -> list[Resource[Any]]:
    """Ordered by namespace and name; Namespaces with those that are only implied."""
    stored = await store.list(kind.name, namespace)
    if kind is not NAMESPACE:
        return stored
    namespaces = await _implied_namespaces(store) | {one.name: one for one in stored}
    return [namespaces[name] for name in sorted(namespaces)]


def is_implied(resource: Resource[Any]) -> bool:
    """It is shown and is not in the store."""
    return not resource.metadata.uid


async def holds_back(store: ConfigStore, namespace: str) -> bool:
    """Whether something in the namespace is being deleted and waits for its finalizers, as the namespace then must."""
    return any(one.metadata.deletion_timestamp for one in await store.list(namespace=namespace))


async def check_takes_objects(store: ConfigStore, resource: Resource[Any], plural: str) -> None:
    """Raises RequestError, in Kubernetes' words, where the namespace is being deleted."""
    namespace = await store.get(NAMESPACE.name, "", resource.namespace) if resource.kind.is_namespaced else None
    if namespace is None or not namespace.metadata.deletion_timestamp:
        return
    terminated = f"namespace {namespace.name} is being terminated"
    cause = {"reason": "NamespaceTerminating", "message": terminated, "field": "metadata.namespace"}
    refusal = f"unable to create new content in namespace {namespace.name} because it is being terminated"
    raise RequestError(f'{plural} "{resource.name}" is forbidden: {refusal}', 403, "Forbidden", (cause,))


async def _implied_namespaces(store: ConfigStore) -> dict[str, Resource[Any]]:
    created: dict[str, str] = {}
    for one in await store.list():
        if one.kind.is_namespaced:
            oldest = created.get(one.namespace, one.metadata.creation_timestamp)
            created[one.namespace] = min(oldest, one.metadata.creation_timestamp)
    created.setdefault(DEFAULT_NAMESPACE, "")
    return {name: _namespace(name, timestamp) for name, timestamp in created.items()}


def _namespace(name: str, created: str) -> Resource[Any]:
    metadata = Metadata(name=name, labels={"kubernetes.io/metadata.name": name}, creation_timestamp=created)
    return Resource(kind=NAMESPACE, metadata=metadata, spec=Namespace(), status=initial_status(NAMESPACE))
