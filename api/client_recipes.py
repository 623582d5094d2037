"""The settings that point each client at the proxy: the text of its files, and where they belong."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

PROVIDER = "chronoproxy"
KEY_VARIABLE = "CHRONOPROXY_KEY"


class Address(msgspec.Struct, frozen=True):
    """Where the proxy is and what it offers: `base_url` ends in /v1; `models` are names with their context sizes, the
    default one first; `guarded` says that a key is asked for."""

    base_url: str
    models: tuple[tuple[str, int], ...]
    guarded: bool

    @property
    def model(self) -> str:
        return self.models[0][0]

    @property
    def key(self) -> str:
        """What stands for the key: with a guarded proxy the user's own, which we do not print."""
        return f"YOUR-{KEY_VARIABLE}" if self.guarded else "unused"


class Step(msgspec.Struct, frozen=True):
    """What to do, and what goes where: `place` is a file, or None for a shell; `language` is that of `text`."""

    say: str
    text: str = ""
    place: str | None = None
    language: str = "text"


class Recipe(msgspec.Struct, frozen=True):
    """How a client is set up. `note` says how its sessions are recognised."""

    title: str
    steps: tuple[Step, ...]
    note: str


Make = Callable[[Address], Recipe]
_BY_MESSAGES = "It sends no session of its own; conversations are recognised by their messages."


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2)


def _cline(to: Address) -> Recipe:
    fields = (
        ("API Provider", "OpenAI Compatible"),
        ("Base URL", to.base_url),
        ("OpenAI Compatible API Key", to.key),
        ("Model ID", to.model),
        ("Model Configuration > Context Window Size", str(to.models[0][1])),
    )
    text = "\n".join(f"{name}: {value}" for name, value in fields)
    return Recipe("Cline", (Step("In Cline's settings (the gear), for Plan and for Act:", text),), _BY_MESSAGES)


def _continue(to: Address) -> Recipe:
    models = "".join(
        f"  - name: {json.dumps(f'{name} (Chronoproxy)')}\n    provider: openai\n    model: {json.dumps(name)}\n"
        f"    apiBase: {to.base_url}/\n    apiKey: {to.key}\n    roles: [chat, edit, apply]\n"
        f"    defaultCompletionOptions:\n      contextLength: {size}\n"
        for name, size in to.models
    )
    text = f"name: Chronoproxy\nversion: 0.0.1\nschema: v1\nmodels:\n{models}"
    say = "Add the models to your configuration (the address ends in a slash):"
    return Recipe("Continue", (Step(say, text, "~/.continue/config.yaml", "yaml"),), _BY_MESSAGES)


def _opencode(to: Address) -> Recipe:
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "Chronoproxy",
        "options": {"baseURL": to.base_url, "apiKey": f"{{env:{KEY_VARIABLE}}}" if to.guarded else to.key},
        "models": {
            name: {"name": name, "limit": {"context": size, "output": min(size // 4, 32_000)}}
            for name, size in to.models
        },
    }
    whole = {
        "$schema": "https://opencode.ai/config.json",
        "provider": {PROVIDER: provider},
        "model": f"{PROVIDER}/{to.model}",
    }
    step = Step(
        "In the project, or in ~/.config/opencode/opencode.json for all:", _pretty(whole), "opencode.json", "json"
    )
    note = "Its newer versions name their session in `X-Session-Id`; older ones are recognised by their messages."
    return Recipe("opencode", (step,), note)


def _aider(to: Address) -> Recipe:
    settings = f"openai-api-base: {to.base_url}\nopenai-api-key: {to.key}\nmodel: openai/{to.model}\n"
    known = {
        f"openai/{name}": {
            "max_input_tokens": size,
            "max_output_tokens": min(size // 4, 32_000),
            "input_cost_per_token": 0,
            "output_cost_per_token": 0,
            "litellm_provider": "openai",
            "mode": "chat",
        }
        for name, size in to.models
    }
    steps = (
        Step("In the repository or your home directory:", settings, ".aider.conf.yml", "yaml"),
        Step("So that it knows the context sizes:", _pretty(known), ".aider.model.metadata.json", "json"),
    )
    return Recipe(
        "aider", steps, f"The proxy asks the provider for the usage that aider does not ask for. {_BY_MESSAGES}"
    )


def _zed(to: Address) -> Recipe:
    models = [
        {
            "name": name,
            "display_name": f"{name} (Chronoproxy)",
            "max_tokens": size,
            "capabilities": {
                "tools": True,
                "images": False,
                "parallel_tool_calls": True,
                "prompt_cache_key": True,
                "chat_completions": True,
            },
        }
        for name, size in to.models
    ]
    provider = {"Chronoproxy": {"api_url": to.base_url, "available_models": models}}
    steps = (
        Step(
            "Merge into the settings (`zed: open settings`):",
            _pretty({"language_models": {"openai_compatible": provider}}),
            "~/.config/zed/settings.json",
            "json",
        ),
        Step("Zed takes the key from the environment:", f"export CHRONOPROXY_API_KEY={to.key}", None, "sh"),
    )
    return Recipe("Zed", steps, "With `prompt_cache_key` each thread names itself, and is a session of its own.")


def _llm(to: Address) -> Recipe:
    entries = "".join(
        f"- model_id: {json.dumps(f'{PROVIDER}/{name}')}\n  model_name: {json.dumps(name)}\n"
        f"  api_base: {to.base_url}\n  api_key_name: {PROVIDER}\n  supports_tools: true\n"
        for name, _ in to.models
    )
    steps = (
        Step(
            'In the directory that `dirname "$(llm logs path)"` prints:',
            entries,
            "extra-openai-models.yaml",
            "yaml",
        ),
        Step("Any key will do, but there must be one:", f"llm keys set {PROVIDER} --value {to.key}", None, "sh"),
    )
    return Recipe("llm", steps, f"`llm -m {PROVIDER}/{to.model} hello` then goes through the proxy. {_BY_MESSAGES}")


_PYTHON = """\
import os

from openai import OpenAI

client = OpenAI(base_url="{base}", api_key={key}, default_headers={{"X-Session-Id": "my-task"}})
answer = client.chat.completions.create(model="{model}", messages=[{{"role": "user", "content": "Hello."}}])
print(answer.choices[0].message.content)
"""
_NODE = """\
import OpenAI from "openai";

const client = new OpenAI({{
  baseURL: "{base}",
  apiKey: {key},
  defaultHeaders: {{ "X-Session-Id": "my-task" }},
}});
const answer = await client.chat.completions.create({{
  model: "{model}",
  messages: [{{ role: "user", content: "Hello." }}],
}});
console.log(answer.choices[0].message.content);
"""
_SDK_NOTE = (
    "`X-Session-Id` names the conversation; without it the messages are recognised. Programs that are not yours take"
    " OPENAI_BASE_URL and OPENAI_API_KEY from the environment."
)


def _python(to: Address) -> Recipe:
    key = f'os.environ["{KEY_VARIABLE}"]' if to.guarded else f'"{to.key}"'
    text = _PYTHON.format(base=to.base_url, key=key, model=to.model)
    if not to.guarded:
        text = text.removeprefix("import os\n\n")
    return Recipe("OpenAI SDK for Python", (Step("In your program:", text, None, "python"), _exports(to)), _SDK_NOTE)


def _node(to: Address) -> Recipe:
    key = f"process.env.{KEY_VARIABLE}" if to.guarded else f'"{to.key}"'
    text = _NODE.format(base=to.base_url, key=key, model=to.model)
    steps = (Step("In your program (an ES module):", text, None, "javascript"), _exports(to))
    return Recipe("OpenAI SDK for JavaScript", steps, _SDK_NOTE)


def _exports(to: Address) -> Step:
    text = f"export OPENAI_BASE_URL={to.base_url}\nexport OPENAI_API_KEY={to.key}"
    return Step("Or, without a line of code:", text, None, "sh")


RECIPES: Mapping[str, Make] = {
    "cline": _cline,
    "continue": _continue,
    "opencode": _opencode,
    "aider": _aider,
    "zed": _zed,
    "llm": _llm,
    "openai-python": _python,
    "openai-node": _node,
}
