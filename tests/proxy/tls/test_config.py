import base64

import pytest

from pymesh.errors import DecodeError
from pymesh.protojson import Reader
from pymesh.proxy.tls.certificates import CertificateValidation, SubjectAltNameMatcher
from pymesh.proxy.tls.config import decode_downstream_tls, decode_upstream_tls

SDS = {"resource_api_version": "V3", "api_config_source": {"api_type": "REST"}}
PAYMENT = "spiffe://cluster.local/ns/default/sa/payment"
UPSTREAM = {
    "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
    "sni": "outbound_.80_._.payment.default.svc.cluster.local",
    "common_tls_context": {
        "alpn_protocols": ["istio-peer-exchange", "istio"],
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_2", "tls_maximum_protocol_version": "TLSv1_3"},
        "tls_certificate_sds_secret_configs": [{"name": "default", "sds_config": SDS}],
        "combined_validation_context": {
            "default_validation_context": {
                "match_typed_subject_alt_names": [{"san_type": "URI", "matcher": {"exact": PAYMENT}}]
            },
            "validation_context_sds_secret_config": {"name": "ROOTCA", "sds_config": SDS},
        },
    },
}


def downstream(**common) -> dict:
    return {"common_tls_context": {"tls_certificate_sds_secret_configs": [{"name": "kubernetes://shop"}], **common}}


def decode(decoder, value):
    reader = Reader(value)
    config = decoder(reader)
    reader.reject_unread()
    return config


def test_what_a_sidecar_gets_for_mutual_tls_is_understood_whole():
    config = decode(decode_upstream_tls, UPSTREAM)
    assert config.sni == "outbound_.80_._.payment.default.svc.cluster.local"
    assert config.common.is_mesh
    assert config.common.alpn == ("istio-peer-exchange", "istio")
    names = (SubjectAltNameMatcher("URI", PAYMENT),)
    assert config.common.validation == CertificateValidation(subject_alt_names=names)


def test_files_become_the_names_of_file_secrets():
    value = {
        "common_tls_context": {
            "tls_certificates": [{"certificate_chain": {"filename": "/a.crt"}, "private_key": {"filename": "/a.key"}}],
            "validation_context": {"trusted_ca": {"filename": "/ca.pem"}},
        }
    }
    common = decode(decode_upstream_tls, value).common
    assert common.certificate_secrets == ("file-cert:/a.crt~/a.key",)
    assert common.validation_secret == "file-root:/ca.pem"


def test_an_inline_certificate_is_read_and_checked(ca):
    certificate = ca.issue()
    key = base64.b64encode(certificate.private_key.encode()).decode()
    inline = {
        "certificate_chain": {"inline_string": certificate.certificate_chain},
        "private_key": {"inline_bytes": key},
    }
    config = decode(decode_upstream_tls, {"common_tls_context": {"tls_certificates": [inline]}})
    assert config.common.certificates == (certificate,)


def test_a_minimum_below_tls_1_2_is_raised_to_it():
    value = {"common_tls_context": {"tls_params": {"tls_minimum_protocol_version": "TLSv1_0"}}}
    assert decode(decode_upstream_tls, value).common.min_version == "TLSv1_2"


def test_groups_of_cipher_suites_are_listed_in_turn():
    value = {"common_tls_context": {"tls_params": {"cipher_suites": ["[ECDHE-RSA-AES128-GCM-SHA256|AES128-SHA]"]}}}
    assert decode(decode_upstream_tls, value).common.cipher_suites == ("ECDHE-RSA-AES128-GCM-SHA256", "AES128-SHA")


@pytest.mark.parametrize(
    ("decoder", "value", "path"),
    [
        (decode_upstream_tls, {}, "common_tls_context"),
        (decode_upstream_tls, {"common_tls_context": {}, "allow_renegotiation": True}, "allow_renegotiation"),
        (
            decode_upstream_tls,
            {"common_tls_context": {"tls_params": {"tls_maximum_protocol_version": "TLSv1_1"}}},
            "common_tls_context.tls_params.tls_maximum_protocol_version",
        ),
        (
            decode_upstream_tls,
            {"common_tls_context": {"tls_params": {"cipher_suites": ["NONSENSE"]}}},
            "common_tls_context.tls_params.cipher_suites",
        ),
        (
            decode_upstream_tls,
            {"common_tls_context": {"validation_context": {"trusted_ca": {"inline_string": "no PEM"}}}},
            "common_tls_context.validation_context.trusted_ca",
        ),
        (
            decode_upstream_tls,
            {"common_tls_context": {"validation_context": {"crl": {"filename": "/crl"}}}},
            "common_tls_context.validation_context.crl.filename",
        ),
        (
            decode_upstream_tls,
            {
                "common_tls_context": {
                    "validation_context": {
                        "match_typed_subject_alt_names": [
                            {"san_type": "URI", "matcher": {"safe_regex": {"regex": "x"}}}
                        ]
                    }
                }
            },
            "common_tls_context.validation_context.match_typed_subject_alt_names[0].matcher.exact",
        ),
        (decode_downstream_tls, {"common_tls_context": {}}, "common_tls_context"),
        (decode_downstream_tls, downstream() | {"require_client_certificate": True}, "require_client_certificate"),
        (decode_downstream_tls, downstream() | {"require_sni": True}, "require_sni"),
    ],
)
def test_what_cannot_be_obeyed_is_rejected_by_its_path(decoder, value, path):
    with pytest.raises(DecodeError) as error:
        decode(decoder, value)
    assert error.value.path == path
