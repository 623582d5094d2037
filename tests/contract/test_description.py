"""The OpenAPI document against the program, by schemathesis: no bug, nothing undocumented, nothing against the
schema."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.e2e.processes import ROOT, MockProcess, ProxyProcess, config_for

pytestmark = pytest.mark.extra

# what the description cannot say: that a cursor is of its order, a time exists, an expected position is of one session
_UNSAID = "not_a_server_error,positive_data_acceptance"


@pytest.mark.skipif(
    importlib.util.find_spec("schemathesis") is None, reason="schemathesis is not there: make setup-extra"
)
def test_the_description_holds(tmp_path: Path) -> None:
    mock = MockProcess()
    try:
        with ProxyProcess(config_for(mock.base_url)) as proxy:
            httpx.get(f"{proxy.url}/openapi.json", timeout=60)  # made now: the program waits for ten seconds only
            program = Path(sys.executable).with_name("st")
            done = subprocess.run(
                [
                    str(program), "run", f"{proxy.url}/openapi.json", "--checks", "all", "--exclude-checks", _UNSAID,
                    "--max-examples", "15", "--phases", "examples,coverage,fuzzing", "--seed", "1",
                ],
                cwd=tmp_path,
                env={**os.environ, "SCHEMATHESIS_HOOKS": "tests.contract.schemathesis_checks", "PYTHONPATH": str(ROOT)},
                capture_output=True,
                text=True,
                timeout=420,
                check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout[-6_000:]
            tested = re.search(r"Tested: (\d+)", done.stdout)
            assert tested is not None and int(tested[1]) >= 39
            assert "Traceback" not in proxy.log.read_text()
    finally:
        mock.close()
