from pymesh.control.snapshot.visibility import visibility


def test_nothing_given_is_the_meshs_default():
    assert visibility((), ("*",), "a").is_public
    assert not visibility((), (".",), "a").includes("b")


def test_dot_is_the_owner_alone():
    private = visibility((".",), ("*",), "a")
    assert private.is_private
    assert private.includes("a")
    assert not private.includes("b")


def test_named_namespaces_see_it_and_the_owner_does_not():
    exported = visibility(("b", "c"), ("*",), "a")
    assert exported.includes("b")
    assert not exported.includes("a")
    assert not exported.is_private


def test_tilde_hides_it_from_everybody():
    assert not visibility(("~",), ("*",), "a").includes("a")


def test_star_among_others_is_public():
    assert visibility(("b", "*"), (".",), "a").is_public


def test_private_comes_before_exported_before_public():
    ranks = [visibility((value,), (), "a").rank(of) for value, of in ((".", "a"), ("b", "b"), ("*", "a"))]
    assert ranks == [0, 1, 2]


def test_wider_is_what_names_more_namespaces():
    private, exported, public = (visibility(names, ("*",), "a") for names in ((".",), (".", "b"), ("*",)))
    assert exported.widens(private)
    assert not private.widens(exported)
    assert not private.widens(private)
    assert not public.widens(private)
