"""A key that signs clips, with a certificate of a test's own authority."""

import datetime
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


class SigningFiles(NamedTuple):
    certificate: Path
    key: Path


def write_signing_files(folder: Path, key: Any = None) -> SigningFiles:
    """Write a private key, P-256 unless one is given, and its certificates: its own, then the authority's."""
    key, authority = key or ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    own = _certificate("signer", key.public_key(), is_authority=False)
    own = own.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    own = own.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False)
    root = _certificate("authority", authority.public_key(), is_authority=True)
    signed = [builder.sign(authority, hashes.SHA256()) for builder in (own, root)]
    files = SigningFiles(folder / "certificates.pem", folder / "key.pem")
    files.certificate.write_bytes(b"".join(each.public_bytes(serialization.Encoding.PEM) for each in signed))
    files.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


def ed25519_key() -> Any:
    return ed25519.Ed25519PrivateKey.generate()


def _certificate(name: str, key: Any, is_authority: bool) -> x509.CertificateBuilder:
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    usage = dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False)
    usage |= {"encipher_only": False, "decipher_only": False, "digital_signature": not is_authority}
    usage |= {"key_cert_sign": is_authority, "crl_sign": is_authority}
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name("authority"))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + 30 * day)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _name(name: str) -> x509.Name:
    attributes = {NameOID.COMMON_NAME: name, NameOID.ORGANIZATION_NAME: "Tests"}
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes.items()])
