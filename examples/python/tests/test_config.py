"""The configuration, in this process."""

import json
import unittest

from tarball import builder, config, connector, lines, machine, program

SCHEMAS = [each.SCHEMA for each in (builder, connector, lines, program)]


class Configuration(unittest.TestCase):
    def paths(self, given, schema=builder.SCHEMA):
        text = given if isinstance(given, str) else json.dumps(given)
        return [problem.path for problem in config.read(text, schema)[1]]

    def test_the_examples_of_the_schema_are_accepted(self):
        for schema in SCHEMAS:
            for example in schema["examples"]:
                self.assertEqual(self.paths(example, schema), [])

    def test_what_is_missing_has_its_default(self):
        self.assertEqual(
            config.read('{"target": "a.tgz"}', builder.SCHEMA)[0],
            {"target": "a.tgz", "environment": {}, "compression": 6, "modified": None, "overwrite": False},
        )

    def test_items_are_named_and_counted(self):
        problems = config.read('{"path": "a", "lines": ["b", 1]}', lines.SCHEMA)[1]
        self.assertEqual([each.path for each in problems], ["/lines/1"])
        self.assertEqual(problems[0].summary, "item 2 of lines must be a text of one line")

    def test_all_problems_are_found_together(self):
        given = {"compression": 10, "environment": {"a/b": "x", "c": 1}, "Overwrite": True}
        expected = ["/Overwrite", "/target", "/compression", "/environment/a~1b", "/environment/c"]
        self.assertEqual(self.paths(given), expected)

    def test_a_target_that_is_no_archive_is_refused(self):
        for target in ("", "/", ".tgz", "a.zip", "a.tgz/", "a.tgz\n", 1, None):
            self.assertEqual(self.paths({"target": target}), ["/target"], target)

    def test_what_is_odd_is_a_warning(self):
        for component, given, path in (
            (builder, {"target": "a.tgz", "environment": {"HOME": "/"}}, "/environment/HOME"),
            (lines, {"path": "a", "lines": ["b", "c", "b"]}, "/lines/2"),
            (program, {"command": ["git describe"]}, "/command/0"),
        ):
            wanted, problems = config.read(json.dumps(given), component.SCHEMA)
            self.assertEqual(problems, [])
            beyond = getattr(component, "beyond", machine.hidden)
            self.assertEqual([(each.path, each.severity) for each in beyond(wanted)], [(path, "warning")])

    def test_true_is_no_number(self):
        self.assertEqual(self.paths({"target": "a.tgz", "compression": True}), ["/compression"])

    def test_whole_numbers_stay_what_they_are(self):
        for modified in (0, 2**53 - 2, 2**53 - 1):
            given = json.dumps({"target": "a.tgz", "modified": modified})
            self.assertEqual(config.read(given, builder.SCHEMA)[0]["modified"], modified)
        for modified in (-1, 2**53, 1.5, 1e3, "1"):
            self.assertEqual(set(self.paths({"target": "a.tgz", "modified": modified})), {"/modified"}, modified)

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
