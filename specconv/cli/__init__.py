"""The command line: one module a command, each a few calls of the rooms below.

Nothing heavy is imported before a command runs, so that ``specconv --help`` is instant.
"""

from __future__ import annotations


def main() -> None:
    """The ``specconv`` command."""
    from specconv.cli.interruption import interruption
    from specconv.cli.streams import prepare_streams

    prepare_streams()
    try:
        interruption.install()
        from specconv.cli.app import app
        from specconv.cli.edge import prepare_warnings

        prepare_warnings()
        app(prog_name="specconv")
    except KeyboardInterrupt:  # before a command had begun
        interruption.leave()
    except SystemExit as leaving:
        if leaving.code == interruption.STATUS:
            interruption.leave()
        raise
