"""Our own log as lines of JSON."""

import json
import logging
import sys
import tomllib

from api.configuration_sections import FileModel
from api.own_log import JsonLines
from tests.e2e.processes import ROOT


def test_a_record_is_one_line() -> None:
    record = logging.LogRecord("chronoproxy.x", logging.WARNING, "f", 1, "two\nlines %s", ("ü",), None)
    record.created = 1_795_390_431.123
    line = JsonLines().format(record)
    assert "\n" not in line
    assert json.loads(line) == {
        "timestamp": "2026-11-22T23:33:51.123Z",
        "level": "warning",
        "logger": "chronoproxy.x",
        "message": "two\nlines ü",
    }


def test_an_exception_is_in_it() -> None:
    try:
        raise ValueError("why")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "f", 1, "m", (), sys.exc_info())
    assert "ValueError: why" in json.loads(JsonLines().format(record))["exception"]


def test_the_container_is_configured_with_a_token() -> None:
    values = tomllib.loads((ROOT / "deploy/container.toml").read_text(encoding="utf-8"))
    server = FileModel.model_validate(values).server
    assert (server.host, server.token) == ("0.0.0.0", "${CHRONOPROXY_TOKEN}")
