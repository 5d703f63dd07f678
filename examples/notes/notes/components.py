"""What this plugin offers."""

import json
from typing import Any

from notes import builder, connector, data_source, provisioner
from notes.runs import Runs


def components(runs: Runs) -> list[dict[str, Any]]:
    """The components of the hello, always in this order."""
    return [
        {
            "name": "notes",
            "summary": "Makes a text file",
            "documentation": builder.DOCUMENTATION,
            "configSchema": json.dumps(builder.CONFIG),
            "outputSchema": json.dumps(builder.OUTPUT),
            "recovery": builder.NotesRecovery(),
            "imageBuilder": builder.NotesBuilder(runs),
        },
        {
            "name": "notes-directory",
            "summary": "Runs commands on this machine, in a directory",
            "documentation": connector.DOCUMENTATION,
            "configSchema": json.dumps(connector.CONFIG),
            "communicator": connector.DirectoryConnector(runs),
        },
        {
            "name": "notes-replace",
            "summary": "Replaces a text in a file of the machine",
            "documentation": provisioner.DOCUMENTATION,
            "configSchema": json.dumps(provisioner.CONFIG),
            "provisioner": provisioner.NotesReplace(runs),
        },
        {
            "name": "notes-file",
            "summary": "Reads a text file",
            "documentation": data_source.DOCUMENTATION,
            "configSchema": json.dumps(data_source.CONFIG),
            "outputSchema": json.dumps(data_source.OUTPUT),
            "dataSource": data_source.NotesFile(runs),
        },
    ]
