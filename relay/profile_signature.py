"""The site's signature on a profile for Apple's devices, which then tell whom it is from.

It is a CMS message (RFC 5652) around the profile, made with the certificate that mail programs meet
here anyway. Both files are read each time, as a renewed certificate takes the old one's place.
"""

from pathlib import Path

import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.hazmat.primitives.serialization.pkcs7 import (
    PKCS7Options,
    PKCS7SignatureBuilder,
)
from cryptography.x509 import load_pem_x509_certificates

log = structlog.get_logger()


def sign_profile(certificate: Path, key: Path, profile: bytes) -> bytes:
    """The profile within its signature (DER), with all certificates of the file; as it is where
    these files cannot sign. It blocks."""
    try:
        own, *chain = load_pem_x509_certificates(certificate.read_bytes())
        private = load_pem_private_key(key.read_bytes(), None)
        if not isinstance(private, RSAPrivateKey | EllipticCurvePrivateKey):
            raise ValueError("its key is neither RSA nor EC")
        builder = PKCS7SignatureBuilder().set_data(profile).add_signer(own, private, SHA256())
        for each in chain:
            builder = builder.add_certificate(each)
        return builder.sign(Encoding.DER, [PKCS7Options.Binary])
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        log.warning("profile not signed", reason=str(error), mend="see smtp.certificate and key")
        return profile
