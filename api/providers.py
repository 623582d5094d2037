"""Providers and models of the configuration, in our shape and in that of the OpenAI API (contract 3.2)."""

from typing import Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from api.errors import ApiError
from api.reading import LIVE
from api.services import Use
from api.shapes import OpenAIRefused
from proxy.providers import Catalogue, Model

router = APIRouter(tags=["models"], dependencies=LIVE)
_OPENAI: dict[int | str, dict[str, Any]] = {
    status: {"model": OpenAIRefused, "description": "Refused"} for status in (422, "default")
}


class ProviderModel(BaseModel):
    """`key` is the model's name in the configuration, `model` that at the provider."""

    key: str
    model: str
    name: str
    max_context_size: int
    capabilities: list[str]


class ConfiguredModel(ProviderModel):
    provider: str


class ConfiguredProvider(BaseModel):
    key: str
    type: str
    name: str
    has_api_key: bool
    icon: str
    color: str
    models: list[ProviderModel]


class OpenAIModel(BaseModel):
    """`created` is 0: nobody told."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str
    context_length: int
    max_output_tokens: int | None


class OpenAIModels(BaseModel):
    object: Literal["list"] = "list"
    data: list[OpenAIModel]


@router.get("/api/providers")
async def providers(services: Use, response: Response) -> list[ConfiguredProvider]:
    """Providers with their models, the default one first."""
    models = _sorted(services.catalogue)
    found = [
        ConfiguredProvider(
            key=provider.key,
            type=provider.type,
            name=provider.name or provider.key,
            has_api_key=bool(provider.api_key),
            icon=provider.icon,
            color=provider.color,
            models=[ProviderModel.model_validate(_fields(model)) for model in models if model.provider == provider.key],
        )
        for provider in services.catalogue.providers()
    ]
    response.headers["X-Total-Count"] = str(len(found))
    return found


@router.get("/models/all", responses=_OPENAI)
@router.get("/api/models/all")
@router.get("/api/models")
async def models(services: Use, response: Response) -> list[ConfiguredModel]:
    """Models by provider and name."""
    found = [
        ConfiguredModel.model_validate({**_fields(model), "provider": model.provider})
        for model in _sorted(services.catalogue)
    ]
    response.headers["X-Total-Count"] = str(len(found))
    return found


@router.get("/models", responses=_OPENAI)
@router.get("/v1/models", responses=_OPENAI)
async def openai_models(services: Use) -> OpenAIModels:
    """The models as the OpenAI API lists them."""
    return OpenAIModels(data=[_openai(model) for model in _sorted(services.catalogue)])


@router.get("/models/{model_id:path}", responses=_OPENAI)
@router.get("/v1/models/{model_id:path}", responses=_OPENAI)
async def openai_model(model_id: str, services: Use) -> OpenAIModel:
    """One model; its id may hold slashes."""
    for model in services.catalogue.models():
        if model.key == model_id:
            return _openai(model)
    raise ApiError(404, "model_not_found", f"There is no model {model_id[:200]}.")


def _sorted(catalogue: Catalogue) -> list[Model]:
    return sorted(catalogue.models(), key=lambda model: (model.provider, model.key))


def _fields(model: Model) -> dict[str, object]:
    return {
        "key": model.key,
        "model": model.model,
        "name": model.key,
        "max_context_size": model.max_context_size,
        "capabilities": list(model.capabilities),
    }


def _openai(model: Model) -> OpenAIModel:
    return OpenAIModel(
        id=model.key,
        owned_by=model.provider,
        context_length=model.max_context_size,
        max_output_tokens=model.max_output_tokens,
    )
