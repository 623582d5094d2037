"""The bodies of docs/clients/, from the recipes that `chronoproxy setup` prints."""

from api.client_recipes import RECIPES, Address
from proxy.demo_replies import MODELS

_DEMO = Address("http://127.0.0.1:8000/v1", tuple((name, 262_144) for name in MODELS[:1]), guarded=False)


def page(client: str) -> str:
    """Markdown: each step with the text that belongs there."""
    recipe = RECIPES[client](_DEMO)
    blocks = [f"`chronoproxy setup {client}` prints this with your own address and models; it writes nothing."]
    for step in recipe.steps:
        place = f" `{step.place}`" if step.place else ""
        blocks.append(f"{step.say.removesuffix(':')}{':' if not place else ','}{place}")
        blocks.append(f"```{step.language}\n{step.text.rstrip()}\n```")
        if step.language == "python":
            blocks.append("```text\nHello.\n```")
    return "\n\n".join([*blocks, recipe.note])
