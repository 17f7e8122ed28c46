from pymesh.control.model.destination_rule import ClientTLSSettings
from pymesh.control.model.gateway import ServerTLSSettings
from pymesh.control.model.mesh_config import TLSConfig
from pymesh.control.translate.server_tls import build_server
from pymesh.control.translate.tls import SYSTEM_CA_FILE, build_client, build_mesh_client


def _common(context):
    return context["common_tls_context"]


def test_mesh_client_expects_the_identities_of_the_service():
    context = build_mesh_client("outbound_.80_._.x", ("spiffe://cluster.local/ns/a/sa/b",))
    combined = _common(context)["combined_validation_context"]
    (matcher,) = combined["default_validation_context"]["match_typed_subject_alt_names"]
    assert matcher == {"san_type": "URI", "matcher": {"exact": "spiffe://cluster.local/ns/a/sa/b"}}
    assert _common(context)["alpn_protocols"] == ["istio-peer-exchange", "istio"]


def test_simple_without_ca_trusts_the_machines():
    ours = _common(build_client(ClientTLSSettings(mode="SIMPLE"), (), is_ours=True, obeys_credentials=False))
    assert ours["validation_context"] == {"system_root_certs": {}}
    envoys = _common(build_client(ClientTLSSettings(mode="SIMPLE"), (), is_ours=False, obeys_credentials=False))
    assert envoys["validation_context"] == {"trusted_ca": {"filename": SYSTEM_CA_FILE}}


def test_insecure_skip_verify_verifies_nothing():
    settings = ClientTLSSettings(mode="SIMPLE", insecure_skip_verify=True, ca_certificates="/ca.pem")
    assert "validation_context" not in _common(build_client(settings, (), is_ours=True, obeys_credentials=False))


def test_names_of_the_rule_beat_those_of_the_service_entry():
    settings = ClientTLSSettings(mode="SIMPLE", subject_alt_names=("rule.example",))
    for names, expected in ((settings, "rule.example"), (ClientTLSSettings(mode="SIMPLE"), "entry.example")):
        context = _common(build_client(names, ("entry.example",), is_ours=True, obeys_credentials=False))
        (matcher,) = context["validation_context"]["match_typed_subject_alt_names"]
        assert matcher == {"san_type": "DNS", "matcher": {"exact": expected}}


def test_credential_of_a_client_is_for_those_who_obey_it():
    settings = ClientTLSSettings(mode="MUTUAL", credential_name="client")
    edge = _common(build_client(settings, (), is_ours=True, obeys_credentials=True))
    assert edge["tls_certificate_sds_secret_configs"][0]["name"] == "kubernetes://client"
    assert "tls_certificate_sds_secret_configs" not in _common(
        build_client(settings, (), is_ours=True, obeys_credentials=False)
    )


def test_simple_server_asks_for_no_client_certificate_and_speaks_tls_1_2_at_least():
    context = build_server(ServerTLSSettings(mode="SIMPLE", credential_name="shop"))
    assert context["require_client_certificate"] is False
    assert _common(context)["tls_params"] == {"tls_minimum_protocol_version": "TLSv1_2"}


def test_mutual_server_verifies_clients_by_the_credentials_ca():
    context = build_server(ServerTLSSettings(mode="MUTUAL", credential_name="shop"))
    assert context["require_client_certificate"] is True
    assert _common(context)["validation_context_sds_secret_config"]["name"] == "kubernetes://shop-cacert"


def test_optional_mutual_server_lets_clients_without_certificate_in():
    context = build_server(ServerTLSSettings(mode="OPTIONAL_MUTUAL", credential_name="shop"))
    assert context["require_client_certificate"] is False
    assert "validation_context_sds_secret_config" in _common(context)


def test_istio_mutual_server_shows_the_workloads_certificate():
    context = build_server(ServerTLSSettings(mode="ISTIO_MUTUAL"))
    assert _common(context)["tls_certificate_sds_secret_configs"][0]["name"] == "default"


def test_a_gateways_own_settings_go_before_the_defaults_of_the_mesh():
    defaults = TLSConfig(min_protocol_version="TLSV1_3", cipher_suites=("ECDHE-RSA-AES256-GCM-SHA384",))
    plain = ServerTLSSettings(mode="SIMPLE", credential_name="shop")
    assert _common(build_server(plain, defaults=defaults))["tls_params"] == {
        "tls_minimum_protocol_version": "TLSv1_3",
        "cipher_suites": ["ECDHE-RSA-AES256-GCM-SHA384"],
    }
    told = ServerTLSSettings(mode="SIMPLE", credential_name="shop", min_protocol_version="TLSV1_2")
    assert _common(build_server(told, defaults=defaults))["tls_params"]["tls_minimum_protocol_version"] == "TLSv1_2"
    mesh = ServerTLSSettings(mode="ISTIO_MUTUAL")
    assert _common(build_server(mesh, defaults=defaults))["tls_params"] == {"tls_minimum_protocol_version": "TLSv1_2"}
