"""Whom TLS trusts by the environment: SSL_CERT_FILE and SSL_CERT_DIR, in the place of the system's authorities."""

import os
from collections.abc import Mapping


def missing_authorities(environment: Mapping[str, str]) -> str | None:
    """The variable that names what is not there or cannot be read, None where all is well: OpenSSL says nothing of
    it."""
    file, directories = environment.get("SSL_CERT_FILE"), environment.get("SSL_CERT_DIR")
    if file and not (os.path.isfile(file) and os.access(file, os.R_OK)):
        return "SSL_CERT_FILE"
    if directories and not all(os.path.isdir(each) for each in directories.split(os.pathsep) if each):
        return "SSL_CERT_DIR"
    return None
