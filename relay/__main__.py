"""`python -m relay` is `letterbell`."""

from relay.cli import main

main(prog_name="letterbell")
