"""`python -m services.watcher`."""

from services.watcher.main import main

main()
