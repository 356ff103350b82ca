"""The command line: thin verbs over the library; exit codes and JSON are a contract."""

from medpipe.cli.app import main

__all__ = ["main"]
