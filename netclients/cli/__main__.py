"""``python -m netclients.cli``."""

from netclients.cli import main

main()
