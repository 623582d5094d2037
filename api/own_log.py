"""Our own log: to stderr, as lines for people or as JSON for programs; never contents of requests."""

import json
import logging
import sys
from typing import Literal

from api.times import iso

Format = Literal["text", "json"]
_TEXT = "%(asctime)s %(levelname)s %(name)s %(message)s"


class JsonLines(logging.Formatter):
    """One object on each line."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "timestamp": iso(int(record.created * 1_000)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info is not None:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def configure_logging(level: str, form: Format) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else logging.Formatter(_TEXT))
    logging.basicConfig(level=level.upper(), handlers=[handler])
    for name in ("uvicorn.error", "httpx", "httpcore"):  # the client would name addresses, which may hold secrets
        logging.getLogger(name).setLevel(logging.WARNING)
