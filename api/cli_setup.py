"""`chronoproxy setup CLIENT`: the settings that point a client at this proxy. It writes nothing and shows no key."""

import argparse
import os
from collections.abc import Iterator

from api.cli_output import json_line, line
from api.client_recipes import RECIPES, Address, Recipe
from api.configuration import Configuration, Overrides, load

_WILDCARDS = ("0.0.0.0", "::")


def run(arguments: argparse.Namespace) -> int:
    """Print the recipe. Raises ConfigurationError."""
    configuration = load(arguments.config, Overrides(data_dir=arguments.data_dir), os.environ)
    recipe = RECIPES[arguments.client](address_of(configuration, arguments.url))
    if arguments.json:
        json_line(_fields(recipe), indent=2)
    else:
        for each in lines(recipe):
            for part in each.split("\n"):
                line(part)
    return 0


def address_of(configuration: Configuration, url: str | None) -> Address:
    """`url` is the proxy's address as the client reaches it; without it that of the configuration."""
    server = configuration.server
    host = "127.0.0.1" if server.host in _WILDCARDS else server.host
    base = url or f"http://{f'[{host}]' if ':' in host else host}:{server.port}"
    models = sorted(configuration.models, key=lambda model: model.key != configuration.default_model)
    named = tuple((model.key, model.max_context_size) for model in models)
    if not named:  # a provider that takes any name
        named = ((f"{configuration.providers[0].key}/MODEL", 262_144),)
    return Address(f"{base.rstrip('/').removesuffix('/v1')}/v1", named, bool(server.token or server.client_keys))


def lines(recipe: Recipe) -> Iterator[str]:
    """As people read it."""
    yield recipe.title
    for step in recipe.steps:
        yield ""
        yield step.say
        if step.place is not None:
            yield f"  {step.place}"
        yield ""
        yield from (f"    {text}".rstrip() for text in step.text.splitlines())
    yield ""
    yield recipe.note


def _fields(recipe: Recipe) -> dict[str, object]:
    steps = [
        {"say": step.say, "place": step.place, "language": step.language, "text": step.text} for step in recipe.steps
    ]
    return {"title": recipe.title, "steps": steps, "note": recipe.note}
