"""The command `localcloud`: `localcloud up` keeps the project in the current directory running."""

import sys

from localcloud import up

USAGE = """usage: localcloud up [options]

  up    run the Firebase project in the current directory on this machine until Ctrl-C; localcloud up --help"""


def main() -> int:
    """Run the command that the command line names; return the exit status."""
    match sys.argv[1:]:
        case ["up", *words]:
            return up.main("localcloud up", words=words)
        case ["-h" | "--help"]:
            print(USAGE)
            return 0
    print(USAGE, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
