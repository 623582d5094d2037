"""The launcher: `python -m chronoproxy` and the console script `chronoproxy`.

The program's folders are top-level packages. In a wheel they lie in `_app` beside this file, in a checkout beside this
package; that place comes first in the search for modules, so that no other `api` or `schema` can be meant.
"""

import gc
import os
import signal
import sys
from pathlib import Path
from types import FrameType

_INTERRUPTED = 130


def _leave(number: int, _: FrameType | None) -> None:
    """While the program is still being loaded nothing is open, and nothing is to be said."""
    os._exit(_INTERRUPTED if number == signal.SIGINT else 0)


signal.signal(signal.SIGINT, _leave)
if sys.argv[1:2] == ["serve"]:  # it ends with 0 when it is asked to; api/cli_serve.py goes on from there
    signal.signal(signal.SIGTERM, _leave)

# Nothing that is imported becomes garbage, and looking for it costs a quarter of the start; `api.cli` switches it on.
gc.disable()

_HERE = Path(__file__).resolve().parent
_ROOMS = _HERE / "_app"
sys.path.insert(0, str(_ROOMS if _ROOMS.is_dir() else _HERE.parent))

from api.cli import main as run  # noqa: E402  (the line above says where `api` is)


def main() -> int:
    """Run the command line that this process was started with; the result is its exit code."""
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        return run(sys.argv[1:])
    except KeyboardInterrupt:
        return _INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
