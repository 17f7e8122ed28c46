from pymesh.control.xds.content import EMPTY, collection_version, content_version, versioned
from pymesh.xds import CLUSTER, TYPES

WEB = {"@type": CLUSTER, "name": "web", "type": "EDS"}


def test_a_version_does_not_depend_on_the_order_of_keys():
    assert content_version(WEB) == content_version(dict(reversed(WEB.items())))


def test_a_version_depends_on_the_content():
    assert content_version(WEB) != content_version({**WEB, "type": "STATIC"})


def test_all_types_are_there_even_when_nothing_of_them_was_built():
    content = versioned({CLUSTER: {"web": WEB}})
    assert set(content) == set(TYPES) == set(EMPTY)
    assert content[CLUSTER]["web"].resource is WEB


def test_an_object_that_is_built_again_is_not_hashed_again():
    before = versioned({CLUSTER: {"web": WEB}})
    after = versioned({CLUSTER: {"web": WEB}}, before)
    assert after[CLUSTER]["web"] is before[CLUSTER]["web"]


def test_a_collection_has_one_version_whatever_the_order_of_its_names():
    resources = versioned({CLUSTER: {"web": WEB, "db": {**WEB, "name": "db"}}})[CLUSTER]
    assert collection_version(resources, ["web", "db"]) == collection_version(resources, ["db", "web"])
    assert collection_version(resources, ["web"]) != collection_version(resources, ["db"])
