from pymesh.control.translate.domains import bare_domains, host_names, with_port


def test_mesh_name_may_be_cut_short():
    assert host_names("a.ns.svc.cluster.local", "other") == [
        "a.ns.svc.cluster.local",
        "a.ns.svc.cluster.local.",
        "a.ns",
        "a.ns.svc",
    ]


def test_bare_name_is_for_its_own_namespace():
    assert host_names("a.ns.svc.cluster.local", "ns")[-1] == "a"


def test_other_hosts_are_also_absolute_names():
    for host in ("api.example.com", "*.example.com", "*.svc.cluster.local", "a.b.c.svc.cluster.local"):
        assert host_names(host, "default") == [host, f"{host}."]


def test_addresses_and_the_host_of_everything_have_one_spelling():
    for host in ("10.0.0.1", "2001:db8::1", "*"):
        assert host_names(host, "default") == [host]


def test_ipv6_addresses_stand_in_brackets():
    assert with_port(["2001:db8::1", "a"], 80) == ["[2001:db8::1]:80", "a:80"]
    assert bare_domains(["2001:db8::1", "a"]) == ["[2001:db8::1]", "a"]
