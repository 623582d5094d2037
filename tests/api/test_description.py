"""The OpenAPI document: examples that are valid, headers and errors of every operation, made once."""

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from api.admission import CHAT_PATHS
from api.gate import GateSettings
from api.operation_examples import recorded
from api.operation_pages import pages
from api.operation_refusals import OWN, REFUSALS
from tests.api.house import House, open_house

jsonschema: Any = importlib.import_module("jsonschema")  # comes with the MCP SDK, without types
Operation = dict[str, Any]


def operations(document: dict[str, Any]) -> Iterator[tuple[str, Operation]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def complaints(document: dict[str, Any], schema: dict[str, Any], value: object) -> list[str]:
    whole = {**schema, "components": document["components"]}
    return [error.message for error in jsonschema.Draft202012Validator(whole).iter_errors(value)]


def names(operation: Operation) -> set[str]:
    return {parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "header"}


async def test_every_body_has_a_valid_example(house: House) -> None:
    document = house.app.openapi()
    for key, operation in operations(document):
        if "requestBody" in operation:
            content = operation["requestBody"]["content"]["application/json"]
            assert complaints(document, content["schema"], content["example"]) == [], key


async def test_every_answer_has_an_example_of_its_schema(house: House) -> None:
    document = house.app.openapi()
    for key, operation in operations(document):
        answers = {status: each for status, each in operation["responses"].items() if status.startswith("2")}
        assert answers, key
        for status, answer in answers.items():
            for media, content in answer.get("content", {}).items():
                if media.startswith("image/"):
                    continue  # no text could show it
                assert complaints(document, content["schema"], content["example"]) == [], (key, status, media)


async def test_every_refusal_has_an_example_of_its_schema(house: House) -> None:
    document = house.app.openapi()
    for key, operation in operations(document):
        for status, answer in operation["responses"].items():
            if status[0] not in "45":
                continue
            content = answer["content"]["application/json"]
            assert content["examples"], (key, status)
            for each in content["examples"].values():
                found = document["components"]["examples"][each["$ref"].rpartition("/")[2]] if "$ref" in each else each
                assert complaints(document, content["schema"], found["value"]) == [], (key, status)


async def test_no_example_and_no_error_is_of_an_operation_that_is_not_there(house: House) -> None:
    known = {key for key, _ in operations(house.app.openapi())}
    assert set(recorded()) == known - {f"GET {path}" for path in pages([])}
    assert set(OWN) < known
    used = {code for codes in OWN.values() for code in codes}
    assert used <= set(REFUSALS)


async def test_each_parameter_is_of_one_type(house: House) -> None:
    """Else a value that is wrong is wrong once for each of them, at places that the client never named."""
    for key, operation in operations(house.app.openapi()):
        for parameter in operation.get("parameters", ()):
            assert "anyOf" not in parameter["schema"], (key, parameter["name"])


async def test_headers_are_declared_where_they_apply(house: House) -> None:
    for key, operation in operations(house.app.openapi()):
        method, _, path = key.partition(" ")
        given, answered = names(operation), operation["responses"]["200"].get("headers", {})
        if path in (*CHAT_PATHS, *pages([])) or path == "/mcp" or path.startswith("/api/mcp-gateway/"):
            assert not given
        elif method == "GET":
            assert "X-Min-Position" in given and "Idempotency-Key" not in given, key
            past = any(parameter["name"] == "at" for parameter in operation["parameters"])
            assert ({"X-Read-Position", "X-As-Of"} <= set(answered)) == past, key
        else:
            assert {"Idempotency-Key", "X-Expected-Position"} <= given, key
            assert {"X-Event-Position", "X-Event-Count", "Idempotent-Replayed"} <= set(answered), key


async def test_what_asks_for_credentials_says_so(tmp_path: Path) -> None:
    async with open_house(tmp_path, GateSettings(token="server-token")) as house:
        document = (await house.client.get("/openapi.json", headers={"Authorization": "Bearer server-token"})).json()
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    for key, operation in operations(document):
        optional = key.endswith(("/health", "/health/ready", " /", "/favicon.ico"))
        assert operation["security"] == ([{}] if optional else []) + [{"bearer": []}], key
        assert ("401" in operation["responses"]) != optional, key


async def test_without_a_token_none_is_asked_for(house: House) -> None:
    for key, operation in operations(house.app.openapi()):
        assert operation["security"] == [{}, {"bearer": []}], key
        assert "401" not in operation["responses"], key


async def test_a_refusal_of_a_completion_may_be_the_providers(house: House) -> None:
    document = house.app.openapi()
    for path in CHAT_PATHS:
        answers = document["paths"][path]["post"]["responses"]
        for status, answer in answers.items():
            assert "X-Request-Id" in answer["headers"], status
            if status == "200":
                continue
            schema = answer["content"]["application/json"].get("schema", {})
            for said in ('{"error": "model x not found"}', '{"detail": []}', '{"error": {"message": "", "code": 4}}'):
                assert complaints(document, schema, json.loads(said)) == [], status
            assert "*/*" in answer["content"], status  # an HTML page of what stands in between
        assert "Retry-After" in answers["429"]["headers"]
        (example,) = answers["400"]["content"]["application/json"]["examples"].values()
        assert (example["value"]["error"]["param"], example["value"]["error"]["code"]) == ("messages", None)


async def test_it_tells_of_what_is_no_operation(house: House) -> None:
    document = house.app.openapi()
    for name in ("`/ws`", "`405`", "`408`", "`414`", "`431`"):
        assert name in document["info"]["description"]
    assert set(pages([])) < set(document["paths"])


async def test_it_is_made_once(house: House) -> None:
    first = await house.client.get("/openapi.json")
    assert first.headers["content-type"] == "application/json"
    assert house.app.described() is house.app.described()
    assert (await house.client.get("/openapi.json")).content == first.content == house.app.described()


async def test_what_a_query_names_may_not_be_there(house: House) -> None:
    for path in ("/api/budgets", "/api/usage", "/api/memory/frequent", "/api/memory/stats/advanced", "/api/export/csv"):
        answer = await house.client.get(f"{path}?session_id=99")  # the house looks whether the status is declared
        assert (answer.status_code, answer.json()["code"]) == (404, "session_not_found"), path
