"""packer-builder-tarball: a Packwire plugin in Python.

It offers one builder, `tarball`. Its machine is a directory, to which it lends a
communicator of its own; its artifact is what provisioners have made of that
directory, as a .tar.gz file.

Written from SPEC.md and schema/packwire alone; names in brackets, such as
[launch.bad-address], are the ids of its rules. Read it in this order:

launch        the three variables that a host sets
session       dial, attach, and the three ways in which it ends
builder       `prepare` and `run`
communicator  what is lent to provisioners
stream        bytes in both directions
command       one command and its processes
tree          directories as archives
"""

NAME, VERSION = "tarball", "0.1.0"
