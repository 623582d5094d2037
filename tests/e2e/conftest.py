from collections.abc import Iterator

import pytest

from tests.e2e.processes import MockProcess, ProxyProcess, config_for


@pytest.fixture(scope="session")
def mock() -> Iterator[MockProcess]:
    process = MockProcess()
    yield process
    process.close()


@pytest.fixture(scope="module")
def proxy(mock: MockProcess) -> Iterator[ProxyProcess]:
    """One proxy for the tests of a module."""
    with ProxyProcess(config_for(mock.base_url)) as process:
        yield process
