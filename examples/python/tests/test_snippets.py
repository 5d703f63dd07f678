"""The snippets that `conformance explain` shows are Python, even if nobody runs them."""

import ast
import re
import textwrap
import unittest
from pathlib import Path

SNIPPETS = Path(__file__).resolve().parents[3] / "conformance" / "src" / "explain" / "snippets.md"


class Snippets(unittest.TestCase):
    def test_each_can_stand_in_a_function(self):
        found = re.findall(r"^```python \w+\n(.*?)^```$", SNIPPETS.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
        self.assertGreater(len(found), 200)
        for code in found:
            with self.subTest(code):
                ast.parse("async def snippet(self):\n" + textwrap.indent(code, "    "))


if __name__ == "__main__":
    unittest.main()
