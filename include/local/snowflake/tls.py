"""A certificate authority and its certificate for localhost, so that stock clients can use TLS.

Clients trust it where REQUESTS_CA_BUNDLE is ``TlsFiles.bundle``: certifi's authorities and ours.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import certifi
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID = timedelta(days=365)
RENEW_BEFORE = timedelta(days=30)


@dataclass(frozen=True)
class TlsFiles:
    """PEM files: the authority, the server's certificate and key, and the bundle that clients trust."""

    ca: Path
    certificate: Path
    key: Path
    bundle: Path


def ensure(directory: Path, hostnames: Sequence[str] = ("localhost",)) -> TlsFiles:
    """Return the files in ``directory``; make new ones if one is missing, about to expire, or for other host names.

    The authority's key is never stored: it can sign nothing but this certificate.
    """
    files = TlsFiles(*(directory / name for name in ("ca.pem", "certificate.pem", "key.pem", "bundle.pem")))
    if not _usable(files, hostnames):
        directory.mkdir(parents=True, exist_ok=True)
        _write(files, hostnames)
    return files


def _usable(files: TlsFiles, hostnames: Sequence[str]) -> bool:
    try:
        leaf = x509.load_pem_x509_certificate(files.certificate.read_bytes())
        authority = files.ca.read_bytes()
        serialization.load_pem_private_key(files.key.read_bytes(), None)
        # A newer certifi makes a new bundle.
        current = files.bundle.read_bytes() == Path(certifi.where()).read_bytes() + b"\n" + authority
        leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(authority))
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, TypeError, x509.ExtensionNotFound, InvalidSignature):
        return False
    wanted = set(hostnames) <= set(names.get_values_for_type(x509.DNSName))
    return current and wanted and leaf.not_valid_after_utc - datetime.now(UTC) > RENEW_BEFORE


def _write(files: TlsFiles, hostnames: Sequence[str]) -> None:
    start = datetime.now(UTC) - timedelta(hours=1)
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Local Snowflake CA")])
    authority = (
        _builder(authority_name, authority_name, authority_key, start)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    names = [*(x509.DNSName(name) for name in hostnames), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hostnames[0])])
    leaf = (
        _builder(subject, authority_name, key, start)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    files.key.unlink(missing_ok=True)
    files.key.touch(mode=0o600)
    files.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    authority_pem = authority.public_bytes(serialization.Encoding.PEM)
    files.ca.write_bytes(authority_pem)
    files.certificate.write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    files.bundle.write_bytes(Path(certifi.where()).read_bytes() + b"\n" + authority_pem)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, start: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + VALID)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
