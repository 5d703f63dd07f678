"""packer-plugin-tarball: a Packwire plugin in Python, with four components.

builder        tarball            provisions a directory as if it were a machine, and packs it
communicator   tarball-directory  opens a directory as a machine
provisioner    tarball-lines      sees to it that lines stand in a file of a machine
data source    tarball-program    yields what a program prints

Written from SPEC.md and schema/packwire alone; names in brackets, such as
[launch.bad-address], are the ids of its rules. Read it in this order:

launch        the three variables that a host sets
session       dial, attach, and the three ways in which it ends
config        `prepare`, the same for all components
program       the data source: the shortest of them
lines         the provisioner
remote        the machine as a provisioner sees it
builder       the builder, and what it makes: machine, archive
services      what the host lends: directories, and its ledger
recovery      what becomes of it all when a build is killed
connector     the communicator as a component
communicator  what provisioners reach a machine by
stream        bytes in both directions
command       one command and its processes
guard         what ends them when nobody else is left to do it
tree          directories as archives
"""

NAME, VERSION = "tarball", "0.1.0"
