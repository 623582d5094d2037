"""What is in force, and where it comes from (contract N20)."""

import sqlite3
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from api.configuration_names import flat
from api.reading import PAST, Reads
from api.services import Use
from projections.workspace import Configured, Toggle, auto_session, configured, sanitizer

router = APIRouter(prefix="/api/settings", tags=["settings"], dependencies=PAST)

AUTO_SESSION, SANITIZER = "auto_session", "sanitizer.enabled"


class Setting(BaseModel):
    """`file` also stands for the command line; `position` is that of the event that set it."""

    key: str
    value: Any
    source: Literal["default", "file", "event"]
    position: int | None


class Settings(BaseModel):
    """`config_file` and `warnings` are of the running program, the settings as of the position asked for. Secrets stand
    as has_*."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "settings": [
                        {"key": "auto_session", "value": False, "source": "event", "position": 7},
                        {"key": "server.port", "value": 8000, "source": "default", "position": None},
                    ],
                    "config_file": "~/project/config.toml",
                    "warnings": [],
                }
            ]
        }
    )

    settings: list[Setting]
    config_file: str | None
    warnings: list[str]


@router.get("")
async def settings(reads: Reads, services: Use) -> Settings:
    """Every setting, by its name."""
    found, auto, switch = await reads.run(_read)
    settings = {each.key: each for each in (_toggle(auto), *_configured(found))}
    if switch is not None:
        settings[SANITIZER] = Setting(key=SANITIZER, value=switch.enabled, source="event", position=switch.position)
    return Settings(
        settings=[settings[key] for key in sorted(settings)],
        config_file=services.origin.file,
        warnings=list(services.origin.warnings),
    )


def _read(db: sqlite3.Connection, *, at: int) -> tuple[Configured, Toggle, Toggle | None]:
    return configured(db, at=at), auto_session(db, at=at), sanitizer(db, at=at)


def _toggle(auto: Toggle) -> Setting:
    source: Literal["default", "event"] = "default" if auto.position is None else "event"
    return Setting(key=AUTO_SESSION, value=auto.enabled, source=source, position=auto.position)


def _configured(found: Configured) -> list[Setting]:
    given = set(found.given)
    return [
        Setting(key=key, value=value, source="file" if key in given else "default", position=None)
        for key, value in sorted(flat(found.values).items())
    ]
