"""Liveness, readiness and the rate (contract rows 16, N8, 17)."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from commands.workspace import DisableAutoSession
from schema.recorded import Metadata
from tests.api.house import House


async def test_health_of_a_new_house(house: House) -> None:
    body = (await house.client.get("/health")).json()
    assert body["log_watcher"].pop("log_path").endswith("core.log")
    assert body == {
        "status": "ok",
        "max_context": 1_000,
        "active_session": None,
        "log_watcher": {"status": "stopped", "log_file_exists": False},
        "rate_limit": {"current_rpm": 0, "max_rpm": 8, "percentage": 0.0},
        "version": "1.2.3",
        "position": 0,
    }


async def test_health_names_the_active_session_and_its_window(house: House) -> None:
    await house.client.post("/api/sessions", json={"provider": "acme", "model": "big"})
    body = (await house.client.get("/health")).json()
    assert (body["active_session"]["id"], body["max_context"], body["position"]) == (1, 200_000, 2)


async def test_ready(house: House) -> None:
    answer = await house.client.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json() == {
        "ready": True,
        "checks": {"event_store": "ok", "writer": "ok", "projections": "ok"},
        "position": 0,
        "lag_events": 0,
    }


async def test_a_writer_in_trouble_degrades_health_and_is_not_ready(house: House) -> None:
    house.trouble.append("database or disk is full")
    health = await house.client.get("/health")
    assert (health.status_code, health.json()["status"]) == (200, "degraded")
    ready = await house.client.get("/health/ready")
    assert (ready.status_code, ready.json()["ready"]) == (503, False)
    assert ready.json()["checks"]["writer"] == "database or disk is full"


async def test_a_runner_that_stopped_lags(house: House) -> None:
    house.runner.stop()
    await house.handler.execute(DisableAutoSession(), Metadata(actor="api"))
    ready = await house.client.get("/health/ready")
    assert ready.json()["lag_events"] == 1


async def test_a_write_that_is_not_shown_degrades_health(house: House, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "read.sqlite", isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        assert (await house.client.post("/api/sessions", json={})).json()["code"] == "projection_lag"
        health = (await house.client.get("/health")).json()
        assert (health["status"], "event 2 is not shown yet" in health["error"]) == ("degraded", True)
        assert (await house.client.get("/health/ready")).status_code == 503
    await house.waiter.until(2, 30)
    assert (await house.client.get("/health")).json()["status"] == "ok"


async def test_what_is_not_in_the_log_is_not_missed(house: House) -> None:
    late = await house.client.get("/api/sessions", headers={"X-Min-Position": "99"})
    assert late.status_code != 200
    assert (await house.client.get("/health")).json()["status"] == "ok"


@pytest.mark.parametrize(
    ("count", "status", "percentage"),
    [
        (0, "normal", 0),
        (3, "normal", 37.5),
        (4, "elevated", 50),
        (7, "warning", 87.5),
        (8, "critical", 100),
        (9, "critical", 112.5),
    ],
)
async def test_rate_limit(house: House, count: int, status: str, percentage: float) -> None:
    for _ in range(count):
        house.rate.count()
    assert (await house.client.get("/api/rate-limit")).json() == {
        "status": status, "mode": "observe", "current_rpm": count, "max_rpm": 8, "percentage": percentage,
        "waiting": 0, "limits": [],
    }  # fmt: skip
