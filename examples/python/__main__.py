"""Where Python starts when it is given this directory, as packer-builder-tarball does."""

import sys

from tarball.session import main

sys.exit(main())
