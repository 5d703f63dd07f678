"""The data source."""

import asyncio
import json
import unittest

from .host import Cancellation, in_session, summaries


class Programs(unittest.TestCase):
    async def look(self, host, *command, cancellation=None, **config):
        prepared = await host.prepared("dataSource", {"command": command, **config})
        return await host.runs(prepared, cancellation)

    async def value(self, host, *command, **config):
        outcome = await self.look(host, *command, **config)
        self.assertEqual(outcome.which(), "value", outcome)
        return json.loads(outcome.value)

    @in_session
    async def test_its_value_is_what_a_program_prints(self, host, _):
        value = await self.value(host, "printf", "%s\n", "a b", "$HOME")
        self.assertEqual(value, {"text": "a b\n$HOME", "lines": ["a b", "$HOME"]})

    @in_session
    async def test_json_is_read(self, host, _):
        value = await self.value(host, "echo", '{"a": [1, "ä"]}', format="json")
        self.assertEqual(value["json"], {"a": [1, "ä"]})
        for printed in ("{", '{"a": 1, "a": 2}', "1e999", "9007199254740993", "NaN"):
            self.assertEqual((await self.look(host, "echo", printed, format="json")).which(), "failed", printed)

    @in_session
    async def test_it_runs_where_the_template_is_or_as_configured(self, host, _):
        (host.directory / "below").mkdir()
        self.assertEqual((await self.value(host, "pwd"))["text"], str(host.directory))
        self.assertEqual((await self.value(host, "pwd", directory="below"))["text"], f"{host.directory}/below")

    @in_session
    async def test_it_has_its_variables_and_no_input(self, host, _):
        line = 'cat; echo "$A $B"; env | grep -c PACKER_PLUGIN_ || true'
        prepared = {"environment": {"A": "a"}, "secrets": {"B": ""}}
        self.assertEqual((await self.value(host, "sh", "-c", line, **prepared))["lines"], ["a ", "0"])

    @in_session
    async def test_failures_say_what_happened(self, host, _):
        for command, told in (
            (("no-such-program",), "no-such-program cannot be started: No such file or directory"),
            (("sh", "-c", "echo why >&2; exit 3"), "sh ended with status 3"),
            (("sh", "-c", "kill -TERM $$"), "sh ended by the signal TERM"),
            (("printf", r"\377"), "printf printed something that is not UTF-8, at byte 0"),
            (("printf", r"\0"), "printf printed NUL, which no text can hold"),
            (("yes",), "yes printed more than 1048576 bytes"),
        ):
            outcome = await self.look(host, *command)
            self.assertEqual(summaries(outcome), [told])
        self.assertIn("why", (await self.look(host, "sh", "-c", "echo why >&2; exit 3")).failed[0].detail)

    @in_session
    async def test_a_secret_is_shown_to_nobody(self, host, _):
        secrets = {"TOKEN": "open sesame"}
        value = await self.value(host, "sh", "-c", 'echo "$TOKEN" >&2; echo done', secrets=secrets)
        self.assertEqual((value["text"], host.ui.told[-1]), ("done", "<sensitive>"))
        outcome = await self.look(host, "sh", "-c", 'echo "$TOKEN"', secrets=secrets)
        self.assertEqual(summaries(outcome), ["sh printed one of its secrets"])

    @in_session
    async def test_a_program_ends_with_the_run_and_so_does_its_background(self, host, _):
        outcome = await self.look(host, "sh", "-c", "sleep 1000 & echo $!")
        value = json.loads(outcome.value)
        gone = await asyncio.create_subprocess_exec("sh", "-c", f"kill -0 {value['text']} 2>&-")
        self.assertNotEqual(await gone.wait(), 0)
        cancellation = Cancellation()
        cancellation.asked.set()
        self.assertEqual((await self.look(host, "sleep", "1000", cancellation=cancellation)).which(), "cancelled")


if __name__ == "__main__":
    unittest.main()
