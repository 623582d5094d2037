"""What holds for all tests."""

import atexit
import os
import tempfile
from pathlib import Path

import certifi
from hypothesis import settings

# A deadline would fail where the machine is busy.
settings.register_profile("here", deadline=None)
settings.load_profile("here")

_END = "-----END CERTIFICATE-----\n"


def pytest_configure() -> None:
    """One authority to trust instead of all: reading the whole list costs each client of the tests 50 ms, and none of
    them goes to where it would be needed."""
    first = Path(certifi.where()).read_text(encoding="utf-8").split(_END)[0] + _END
    with tempfile.NamedTemporaryFile("w", prefix="authority-", suffix=".pem", delete=False) as file:
        file.write(first)
    atexit.register(os.unlink, file.name)
    os.environ["SSL_CERT_FILE"] = file.name
