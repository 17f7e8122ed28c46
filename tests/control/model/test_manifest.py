"""Files of objects: what is read, what is skipped, and the line of each complaint."""

import json

import pytest

from pymesh.control.model.manifest import InvalidDocumentsError, read_manifest

VIRTUAL_SERVICE = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: reviews
spec:
  hosts: [reviews]
  http:
    - match:
        - sourceLabels:
            app.io/name: web
      route:
        - destination:
            host: reviews
          weight: 10
"""


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(InvalidDocumentsError) as caught:
        read_manifest(text, "a.yaml")
    return caught.value.problems


def test_every_document_of_a_stream_has_its_say() -> None:
    text = (
        "apiVersion: v1\nkind: Secret\nmetadata: {name: A}\n---\nkind: X\n---\napiVersion: v1\nkind: Secret\nspec: {}\n"
    )
    assert problems(text) == (
        "a.yaml: document 1 (line 3): Secret default/A: metadata.name: must be a DNS name in lower case, not 'A'",
        "a.yaml: document 2 (line 5): X: kind: apiVersion and kind are required",
        "a.yaml: document 3 (line 9): Secret default/: spec: unknown field",
        "a.yaml: document 3 (line 7): Secret default/: metadata.name: is required",
    )


def test_a_violation_has_the_line_of_its_field() -> None:
    text = "# shop\n---\n" + VIRTUAL_SERVICE.replace("weight: 10", "weight: ten")
    assert problems(text) == (
        "a.yaml: document 1 (line 16): VirtualService default/reviews: spec.http[0].route[0].weight:"
        " must be an integer, not a string",
    )


def test_what_is_missing_has_the_line_of_what_it_would_stand_in() -> None:
    assert problems(VIRTUAL_SERVICE.replace("host: reviews", "subset: v1")) == (
        "a.yaml: document 1 (line 12): VirtualService default/reviews: spec.http[0].route[0].destination.host:"
        " is required",
    )


def test_each_part_of_an_object_has_its_line() -> None:
    manifest = read_manifest(VIRTUAL_SERVICE, "a.yaml")
    source = manifest.sources[manifest.resources[0].key]
    assert (source.file, source.document, source.line) == ("a.yaml", 1, 1)
    assert source.line_of("spec.http[0]") == 8
    assert source.line_of('spec.http[0].match[0].sourceLabels["app.io/name"]') == 10
    assert source.line_of("spec.http[0].route[0].weight") == 14
    assert source.line_of("spec.http[7].route") == 7


def test_an_alias_has_the_line_of_its_key_and_the_parts_those_of_the_anchor() -> None:
    text = VIRTUAL_SERVICE.replace("route:", "route: &all") + "    - route: *all\n"
    manifest = read_manifest(text, "a.yaml")
    source = manifest.sources[manifest.resources[0].key]
    assert source.line_of("spec.http[1].route") == 15
    assert source.line_of("spec.http[1].route[0].weight") == 14


def test_what_was_merged_has_the_line_where_it_was_written() -> None:
    text = VIRTUAL_SERVICE + "    - name: again\n      <<: *first\n"
    text = text.replace("    - match:", "    - &first\n      match:")
    manifest = read_manifest(text, "a.yaml")
    source = manifest.sources[manifest.resources[0].key]
    assert manifest.resources[0].spec.http[1].route[0].weight == 10
    assert source.line_of("spec.http[1].match") == 9
    assert source.line_of("spec.http[1].name") == 16


def test_a_list_is_its_items_and_each_has_its_lines() -> None:
    item = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    text = json.dumps(
        {"apiVersion": "v1", "kind": "List", "items": [item, {**item, "metadata": {"name": "b"}}]}, indent=1
    )
    manifest = read_manifest(text, "-")
    assert [resource.name for resource in manifest.resources] == ["a", "b"]
    assert manifest.sources[manifest.resources[1].key].line == 12


def test_kinds_of_kubernetes_without_a_meaning_here_are_skipped_with_a_warning() -> None:
    text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: reviews-v1}\nspec: {x: y}\n---\n" + VIRTUAL_SERVICE
    manifest = read_manifest(text, "a.yaml")
    assert [resource.name for resource in manifest.resources] == ["reviews"]
    assert manifest.warnings == (
        "a.yaml: document 1 (line 1): Deployment reviews-v1 is skipped: pymesh runs no containers and has no use for a"
        " Deployment",
    )


def test_many_of_a_kind_that_is_skipped_are_one_warning() -> None:
    text = "---\n".join(f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: v{n}}}\n" for n in (1, 2, 3))
    assert read_manifest(text, "a.yaml").warnings == (
        "a.yaml: document 1 (line 1): Deployment v1 and 2 more are skipped: pymesh runs no containers and has no use"
        " for a Deployment",
    )


def test_a_kind_of_nobody_is_refused() -> None:
    assert problems("apiVersion: apps/v2\nkind: Deploy\nmetadata: {name: a}\n") == (
        "a.yaml: document 1 (line 2): Deploy a: kind: pymesh does not know apps/v2 Deploy",
    )


def test_warnings_have_their_lines() -> None:
    text = "apiVersion: networking.istio.io/v1alpha3\nkind: EnvoyFilter\nmetadata: {name: a}\nspec:\n  priority: 1\n"
    assert read_manifest(text, "a.yaml").warnings == (
        "a.yaml: document 1 (line 4): EnvoyFilter default/a: spec: has no effect: pymesh's proxies are not Envoy and do"
        " not obey an EnvoyFilter",
    )
