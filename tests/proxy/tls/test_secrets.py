from pymesh.proxy.tls.certificates import CertificateValidation, SecretConfig, SubjectAltNameMatcher
from pymesh.proxy.tls.secrets import SecretStore

ROOT = SecretConfig("ROOTCA", validation=CertificateValidation(trusted_ca="pem"))
PAYMENT = (SubjectAltNameMatcher("URI", "spiffe://td/ns/a/sa/payment"),)
WEB = (SubjectAltNameMatcher("URI", "spiffe://td/ns/a/sa/web"),)


def test_subscribers_hear_of_every_change_and_of_nothing_else():
    secrets, heard = SecretStore(), []
    secrets.subscribe(heard.append)
    secrets.apply(ROOT)
    secrets.apply(SecretConfig("ROOTCA", validation=CertificateValidation(trusted_ca="pem")))
    secrets.remove("ROOTCA")
    secrets.remove("ROOTCA")
    assert heard == ["ROOTCA", "ROOTCA"]
    assert secrets.revision == 2


def test_a_removed_secret_is_gone():
    secrets = SecretStore()
    secrets.apply(ROOT)
    assert secrets.get("ROOTCA") == ROOT
    secrets.remove("ROOTCA")
    assert secrets.get("ROOTCA") is None
    assert secrets.names() == ()


def test_validation_that_is_combined_joins_names_and_takes_the_secrets_root():
    inline = CertificateValidation("old", subject_alt_names=PAYMENT)
    secret = CertificateValidation("new", subject_alt_names=WEB)
    assert inline.merged(secret) == CertificateValidation("new", subject_alt_names=PAYMENT + WEB)
    assert inline.merged(CertificateValidation()) == inline
