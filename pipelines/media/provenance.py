"""Sign mp4 files as made by a generative model: a C2PA manifest with an operator's key (the extra `c2pa`).

https://spec.c2pa.org. A signature holds a random number, so that two equal clips differ in theirs.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import ProvenanceError
from pipelines.spec import Container, GenerationSpec
from weights.disk import replacing

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

GENERATOR = "ltx23-server"
MODEL = "LTX-2.3"
# https://cv.iptc.org/newscodes/digitalsourcetype/
MADE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
COMPOSED = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"

# By the size of an elliptic curve's key.
_ES = {256: b"es256", 384: b"es384", 521: b"es512"}


class Signer:
    """Signs clips with a key and its certificates, the key's own first; both are PEM files."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Raise ProvenanceError if a file is wrong, they do not belong together, or the extra is not installed."""
        try:
            import c2pa
        except ImportError as exc:
            raise ProvenanceError("signing needs c2pa-python: install this server with the extra `c2pa`") from exc
        certificates, private = _read(certificate), _read(key)
        algorithm = _algorithm(_own_certificate(certificate, certificates), key, private)
        try:
            self._signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(algorithm, certificates, private, None))
        except c2pa.C2paError as exc:
            raise ProvenanceError(f"{certificate} and {key} cannot sign: {exc}") from exc

    def sign(self, path: Path, spec: GenerationSpec) -> None:
        """Put a signed manifest into an mp4. A webm cannot hold one, and stays as it is. Raises ProvenanceError."""
        if spec.container is not Container.MP4:
            return
        import c2pa

        try:
            with (
                c2pa.Builder(manifest(spec)) as builder,
                replacing(path) as part,
                path.open("rb") as source,
                part.open("w+b") as target,
            ):
                builder.sign(self._signer, "video/mp4", source, target)
        except (c2pa.C2paError, OSError) as exc:
            raise ProvenanceError(f"the clip cannot be signed: {exc}") from exc


def manifest(spec: GenerationSpec) -> str:
    """Return what a manifest says of a clip, as JSON: a model made it, or a part of it. The prompt is not in it."""
    action: dict[str, Any] = {
        "action": "c2pa.created",
        "digitalSourceType": MADE if spec.source is None else COMPOSED,
        "softwareAgent": {"name": MODEL},
    }
    return json.dumps(
        {
            "claim_generator_info": [{"name": GENERATOR}],
            "title": "clip.mp4",
            "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [action]}}],
        }
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise ProvenanceError(f"{path} cannot be read: {exc.strerror}") from exc


def _own_certificate(path: Path, data: bytes) -> "Certificate":
    from cryptography.x509 import load_pem_x509_certificates

    try:
        return load_pem_x509_certificates(data)[0]
    except ValueError as exc:
        raise ProvenanceError(f"{path} should hold certificates in PEM, the key's own first") from exc


def _algorithm(certificate: "Certificate", path: Path, data: bytes) -> bytes:
    """Return C2PA's name of the key's algorithm. Raises ProvenanceError."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(data, password=None)
    except (ValueError, TypeError) as exc:
        raise ProvenanceError(f"{path} should be a private key in PEM without a password") from exc
    if key.public_key() != certificate.public_key():
        raise ProvenanceError(f"{path} is not the key of the first certificate")
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.key_size in _ES:
        return _ES[key.curve.key_size]
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return b"ed25519"
    if isinstance(key, rsa.RSAPrivateKey):
        return b"ps256"
    raise ProvenanceError(f"{path} should be a key on P-256, P-384 or P-521, an Ed25519 or an RSA key")
