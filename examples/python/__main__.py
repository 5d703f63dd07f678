"""Where Python starts when it is given this directory, as packer-plugin-tarball does."""

import sys

from tarball.session import main

sys.exit(main())
