from pymesh.control.xds.content import EMPTY, Versions, collection_version, content_version
from pymesh.xds import CLUSTER, TYPES

WEB = {"@type": CLUSTER, "name": "web", "type": "EDS"}


def test_a_version_does_not_depend_on_the_order_of_keys():
    assert content_version(WEB) == content_version(dict(reversed(WEB.items())))


def test_a_version_depends_on_the_content():
    assert content_version(WEB) != content_version({**WEB, "type": "STATIC"})


def test_all_types_are_there_even_when_nothing_of_them_was_built():
    content = Versions().of_all({CLUSTER: {"web": WEB}})
    assert set(content) == set(TYPES) == set(EMPTY)
    assert content[CLUSTER]["web"].resource is WEB


def test_an_object_that_several_proxies_share_is_hashed_once():
    versions = Versions()
    assert versions.of_all({CLUSTER: {"web": WEB}})[CLUSTER]["web"] is versions.of(WEB)
    assert versions.of(dict(WEB)) is not versions.of(WEB)


def test_a_collection_has_one_version_whatever_the_order_of_its_names():
    resources = Versions().of_all({CLUSTER: {"web": WEB, "db": {**WEB, "name": "db"}}})[CLUSTER]
    assert collection_version(resources, ["web", "db"]) == collection_version(resources, ["db", "web"])
    assert collection_version(resources, ["web"]) != collection_version(resources, ["db"])
