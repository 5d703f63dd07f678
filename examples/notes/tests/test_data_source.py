"""The data source, and how all components answer `prepare`."""

import hashlib
import json
import unittest

from .host import Cancellation, in_session, summaries


class DataSource(unittest.TestCase):
    async def look(self, host, cancellation=None, **config):
        return await host.runs(await host.prepared("dataSource", {"path": "a", **config}), cancellation)

    @in_session
    async def test_its_value_is_the_text_of_a_file(self, host, _):
        (host.work / "a").write_text("Grüße\n")
        digest = hashlib.sha256("Grüße\n".encode()).hexdigest()
        value = {"path": str(host.work / "a"), "text": "Grüße\n", "size": 8, "digest": f"sha256:{digest}"}
        self.assertEqual(json.loads((await self.look(host)).value), value)

    @in_session
    async def test_what_is_no_text_is_refused(self, host, _):
        file = host.work / "a"
        for content, told in (
            (None, "cannot be read: No such file or directory"),
            (b"\xff", "is not UTF-8"),
            (b"\0", "holds the character NUL, which no text may hold"),
            (b"x" * (1 << 20) + b"x", "is larger than 1048576 bytes"),
        ):
            if content is not None:
                file.write_bytes(content)
            self.assertEqual(summaries(await self.look(host)), [f"{file} {told}"])

    @in_session
    async def test_waiting_can_be_cancelled(self, host, _):
        cancellation = Cancellation()
        cancellation.asked.set()
        self.assertEqual((await self.look(host, cancellation, wait=1000)).which(), "cancelled")

    @in_session
    async def test_all_that_is_wrong_is_told_at_once_and_where(self, host, _):
        answer = await host.prepare("dataSource", {"wait": 1.5, "a/b": 1})
        told = {each.path: each.summary for each in answer.diagnostics}
        self.assertEqual(
            told,
            {
                "/path": "path is missing",
                "/wait": "wait must be of the type integer",
                "/a~1b": 'there is no option "a/b"',
            },
        )
        answer = await host.prepare("imageBuilder", {"path": "a", "text": "b"})
        self.assertEqual([(each.severity, each.path) for each in answer.diagnostics], [("warning", "/text")])


if __name__ == "__main__":
    unittest.main()
