"""Providers and models (contract 3.2)."""

from tests.api.house import House

DEMO = {"key": "demo/echo", "model": "echo", "name": "demo/echo", "max_context_size": 1_000, "capabilities": ["tools"]}
BIG = {"key": "big", "model": "acme-big", "name": "big", "max_context_size": 200_000, "capabilities": []}


async def test_providers_default_first_and_no_secret(house: House) -> None:
    answer = await house.client.get("/api/providers")
    assert answer.json() == [
        {
            "key": "demo", "type": "echo", "name": "Demo", "has_api_key": False, "icon": "d", "color": "#0b6e83",
            "models": [DEMO],
        },
        {
            "key": "acme", "type": "openai", "name": "acme", "has_api_key": True, "icon": "", "color": "",
            "models": [BIG],
        },
    ]  # fmt: skip
    assert "s3cret" not in answer.text and "acme.test" not in answer.text
    assert answer.headers["x-total-count"] == "2"


async def test_models_by_provider_and_name(house: House) -> None:
    for path in ("/api/models", "/api/models/all", "/models/all"):
        answer = await house.client.get(path)
        assert answer.json() == [BIG | {"provider": "acme"}, DEMO | {"provider": "demo"}]
        assert answer.headers["x-total-count"] == "2"


async def test_models_as_openai_lists_them(house: House) -> None:
    demo = {
        "id": "demo/echo", "object": "model", "created": 0, "owned_by": "demo", "context_length": 1_000,
        "max_output_tokens": None,
    }  # fmt: skip
    for prefix in ("", "/v1"):
        body = (await house.client.get(f"{prefix}/models")).json()
        assert (body["object"], [item["id"] for item in body["data"]]) == ("list", ["big", "demo/echo"])
        assert body["data"][1] == demo
        assert (await house.client.get(f"{prefix}/models/demo/echo")).json() == demo
        assert (await house.client.get(f"{prefix}/models/demo%2Fecho")).json() == demo
        missing = await house.client.get(f"{prefix}/models/none")
        assert (missing.status_code, missing.json()["error"]["code"]) == (404, "model_not_found")
        past = await house.client.get(f"{prefix}/models?at=1")
        assert (past.status_code, past.json()["error"]["code"]) == (422, "at_not_supported")
