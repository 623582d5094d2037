"""The command line itself loads quickly: what a command needs is imported when it runs."""

import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_HEAVY = ("aiohttp", "fastapi", "httpx", "numpy", "pydantic", "sqlite_utils", "uvicorn")
_PARSED = "import sys, api.cli; api.cli.parser(); print(*sys.modules)"
_VERIFIES = "import sys, api.cli_verify; print(*sys.modules)"


@pytest.mark.parametrize(
    ("program", "heavy"),
    [
        (_PARSED, _HEAVY),
        (_VERIFIES, tuple(name for name in _HEAVY if name != "pydantic")),  # the configuration is checked with it
    ],
)
def test_what_is_not_needed_is_not_loaded(program: str, heavy: tuple[str, ...]) -> None:
    loaded = subprocess.run([sys.executable, "-c", program], cwd=_ROOT, capture_output=True, text=True, check=True)
    assert not set(loaded.stdout.split()) & set(heavy)
