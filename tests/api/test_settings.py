"""Every setting with its source, now and as of an earlier event."""

from schema.workspace import ConfigurationLoaded
from tests.api.house import House


def _by_key(body: dict[str, object]) -> dict[str, tuple[object, str, int | None]]:
    settings = body["settings"]
    assert isinstance(settings, list)
    return {each["key"]: (each["value"], each["source"], each["position"]) for each in settings}


async def test_what_the_file_set_what_is_default_and_what_was_switched(house: House) -> None:
    values = {
        "default_model": "m",
        "server": {"port": 9000, "has_token": True},
        "models": {"a.b/c": {"price": None, "capabilities": ["tools"]}},
    }
    given = ("server.port", 'models."a.b/c".capabilities')
    await house.record(ConfigurationLoaded(values=values, hash="h", given=given), stream="workspace")
    body = (await house.client.get("/api/settings")).json()
    assert set(body) == {"settings", "config_file", "warnings"}
    assert (body["config_file"], body["warnings"]) == ("~/config.toml", ["[mcp] has no effect yet"])
    assert _by_key(body) == {
        "auto_session": (True, "default", None),
        "default_model": ("m", "default", None),
        'models."a.b/c".capabilities': (["tools"], "file", None),
        'models."a.b/c".price': (None, "default", None),
        "server.has_token": (True, "default", None),
        "server.port": (9000, "file", None),
    }


async def test_a_switch_stands_with_its_event_and_as_it_was_before(house: House) -> None:
    await house.client.post("/api/sessions/toggle-auto", json={"enabled": False})
    now = await house.client.get("/api/settings")
    assert _by_key(now.json())["auto_session"] == (False, "event", 1)
    before = await house.client.get("/api/settings?at=0")
    assert _by_key(before.json()) == {"auto_session": (True, "default", None)}
    assert before.headers["x-as-of"] == "0"
    assert (await house.client.get("/api/settings?at=2")).json()["code"] == "at_out_of_range"
