"""`python -m services.gateway`."""

import typer

from services.gateway.main import main

typer.run(main)
