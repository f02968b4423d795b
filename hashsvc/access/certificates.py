"""A certificate authority to try TLS out with. In production you have one of your own."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hashsvc.errors import ConfigError
from hashsvc.private_files import write_private
from hashsvc.private_keys import to_pem

_DAYS = 90
_SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its private key, both in PEM."""

    certificate: bytes
    key: bytes


def make_authority() -> Issued:
    """Make a root certificate that signs others, good for 90 days."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("hashsvc development CA")
    builder = (
        _builder(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return _issued(builder, key, key)


def issue(authority: Issued, name: str, hosts: Sequence[str], *, is_client: bool) -> Issued:
    """Make a certificate for a node's `hosts` (names and IP addresses), or for a client.

    Raises:
        ConfigError: the authority is not one that `make_authority` made.
    """
    try:
        ca = x509.load_pem_x509_certificate(authority.certificate)
        ca_key = serialization.load_pem_private_key(authority.key, None)
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"this is not an authority of `certs init`: {error}") from None
    if not isinstance(ca_key, ec.EllipticCurvePrivateKey) or ca_key.public_key() != ca.public_key():
        raise ConfigError("ca.key is not the key of ca.crt, or not one of `certs init`")
    key = ec.generate_private_key(ec.SECP256R1())
    purpose = ExtendedKeyUsageOID.CLIENT_AUTH if is_client else ExtendedKeyUsageOID.SERVER_AUTH
    builder = (
        _builder(_name(name), ca.subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
        .add_extension(
            x509.SubjectAlternativeName([_alternative(host) for host in hosts or (name,)]),
            critical=False,
        )
    )
    return _issued(builder, key, ca_key)


def write(folder: Path, stem: str, issued: Issued) -> tuple[Path, Path]:
    """Write STEM.crt and STEM.key, readable by their owner alone; return both paths.

    Raises:
        ConfigError: one of them is there already.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    paths = folder / f"{stem}.crt", folder / f"{stem}.key"
    for path in paths:
        if path.exists():
            raise ConfigError(f"{path} is there already; nothing was written over it")
    for path, content in zip(paths, (issued.certificate, issued.key), strict=True):
        write_private(path, content)
    return paths


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + timedelta(days=_DAYS))
    )


def _issued(
    builder: x509.CertificateBuilder,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
) -> Issued:
    certificate = builder.sign(signer, hashes.SHA256())
    return Issued(
        certificate.public_bytes(serialization.Encoding.PEM),
        to_pem(key, passphrase=None),
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
