"""The configuration, in this process."""

import json
import unittest

from tarball import config


class Configuration(unittest.TestCase):
    def paths(self, given):
        text = given if isinstance(given, str) else json.dumps(given)
        return [problem.path for problem in config.read(text)[1]]

    def test_the_examples_of_the_schema_are_accepted(self):
        for example in config.SCHEMA["examples"]:
            self.assertEqual(self.paths(example), [])

    def test_all_problems_are_found_together(self):
        given = {"compression": 10, "environment": {"a/b": "x", "c": 1}, "Overwrite": True}
        expected = ["/Overwrite", "/target", "/compression", "/environment/a~1b", "/environment/c"]
        self.assertEqual(self.paths(given), expected)

    def test_a_target_that_is_no_archive_is_refused(self):
        for target in ("", "/", ".tgz", "a.zip", "a.tgz/", 1, None):
            self.assertEqual(self.paths({"target": target}), ["/target"], target)

    def test_true_is_no_number(self):
        self.assertEqual(self.paths({"target": "a.tgz", "compression": True}), ["/compression"])

    def test_a_key_given_twice_is_refused(self):
        self.assertEqual(self.paths('{"target": "a.tgz", "target": "b.tgz"}'), ["/target"])

    def test_what_is_no_json_is_a_problem_of_the_whole(self):
        for text in ("", "nope", "null", "[]", "[NaN]", "[" * 100_000, "1" * 5000):
            self.assertEqual(self.paths(text), [""], text[:20])

    def test_texts_that_the_link_cannot_carry_are_refused(self):
        given = r'{"target": "a\u0000.tgz", "environment": {"b": "\ud800"}}'
        self.assertEqual(sorted(set(self.paths(given))), ["/environment/b", "/target"])


if __name__ == "__main__":
    unittest.main()
