"""`python -m services.conductor`."""

from services.conductor.main import main

main()
