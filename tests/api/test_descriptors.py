"""The limit of open files, in a process of its own."""

import subprocess
import sys

import pytest

from tests.e2e.processes import ROOT

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the limit is of POSIX")

_PROGRAM = """
import resource
from api.descriptors import limit, raise_limit
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 200))
raise_limit()
print(limit(), resource.getrlimit(resource.RLIMIT_NOFILE)[1])
"""


def test_it_is_raised_as_far_as_it_may_be() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["200", "200"]
