"""Where Python starts when it is given this directory, as packer-plugin-tarball does."""

import os
import sys

from tarball.launch import Launch, NotLaunched
from tarball.log import log


def main() -> int:
    try:
        launch = Launch.take_from(os.environ)
    except NotLaunched as problem:
        log(str(problem))
        return problem.status
    # Only now: loading pycapnp and compiling the schema take longer than all of this.
    from tarball.session import live

    return live(launch)


sys.exit(main())
