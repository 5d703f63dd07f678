"""Starts the plugin. What can be refused without the RPC library is refused before it is loaded."""

import sys

from notes.launch import launched


def main() -> int:
    start = launched()
    from notes.session import serve

    return serve(start)


if __name__ == "__main__":
    sys.exit(main())
