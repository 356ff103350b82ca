"""`python -m medpipe`: the command line."""

from medpipe.cli import main

main()
