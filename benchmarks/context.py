"""What the proxy does to the contexts of recorded agents: `python -m benchmarks.context EVALUATOR DATA [OPTION ...]`.

EVALUATOR is a program that replays DATA through a proxy, plays its provider, and prints what was saved and what was
lost (`--proxy URL --data FOLDER --pid PID --upstream-port N`); the options are for it, but for `--window TOKENS`, the
model's window: with a small one conversations are compacted too. The proxy starts anew, with an empty data directory.
"""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.processes import free_port, start

_MODEL = "eval-model"
_WINDOW = 1_000_000
_CONFIG = """
[rate_limit]
max_rpm = 0
[providers.evaluator]
base_url = "http://127.0.0.1:{upstream}/v1"
[models.{model}]
provider = "evaluator"
max_context_size = {window}
"""


def evaluate(evaluator: Path, data: Path, options: Sequence[str], window: int) -> int:
    """The evaluator's exit code. Raises StartError."""
    with tempfile.TemporaryDirectory() as name:
        directory, port, upstream = Path(name), free_port(), free_port()
        config = directory / "config.toml"
        config.write_text(_CONFIG.format(upstream=upstream, model=_MODEL, window=window))
        command = [sys.executable, "-m", "chronoproxy", "serve", "--port", str(port), "--config", str(config)]
        process = start("chronoproxy", [*command, "--data-dir", str(directory / "data")], port, directory / "log", None)
        try:
            asked = ["--proxy", f"http://127.0.0.1:{port}", "--data", str(data.resolve()), "--pid", str(process.pid)]
            program = [sys.executable, evaluator.name, *asked, "--upstream-port", str(upstream), *options]
            return subprocess.run(program, cwd=evaluator.resolve().parent, check=False).returncode
        finally:
            process.stop()


def main(arguments: Sequence[str]) -> int:
    if len(arguments) < 2 or not Path(arguments[0]).is_file() or not Path(arguments[1]).is_dir():
        sys.stderr.write("usage: python -m benchmarks.context EVALUATOR DATA [OPTION ...]\n")
        return 2
    options, window = list(arguments[2:]), _WINDOW
    if "--window" in options[:-1]:
        at = options.index("--window")
        window = int(options.pop(at + 1))
        options.pop(at)
    return evaluate(Path(arguments[0]), Path(arguments[1]), options, window)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
