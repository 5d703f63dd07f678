"""A Packwire plugin of four small components that make, edit and read text files."""

NAME = "packer-plugin-notes"
VERSION = "1.0.0"
