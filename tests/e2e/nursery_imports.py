"""What a proxy imports, imported where the processes of the nursery come from."""

import api.cli_serve  # noqa: F401
