"""Checks every parameter override in samconfig.toml and in the pages with the SAM CLI's own parser."""

import re
import unittest
from pathlib import Path

import click
import tomlkit
from samcli.cli.types import CfnParameterOverridesType
from samcli.yamlhelper import yaml_parse

ROOT = Path(__file__).parent.parent.parent
PARAMETERS = yaml_parse((ROOT / "template.yaml").read_text())["Parameters"]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# Parameters that a runbook sets for one deployment and then sets back.
SWITCHES = {"Architecture", "Deployment", "RollbackAlarms"}


def printed(text):
    """The overrides that a page prints: strings as in samconfig.toml, and `Name=value` in code style."""
    strings = re.findall(r"""(?<!\w)("[A-Z]\w*=[^"\n]*"|'[A-Z]\w*=[^'\n]*')""", text)
    names = re.findall(rf"`((?:{'|'.join(PARAMETERS)})=[^`\n]*)`", text)
    return [tomlkit.parse(f"string = {string}")["string"].unwrap() for string in strings] + names


def listed(text, environment):
    """The overrides of an environment in samconfig.toml."""
    return tomlkit.parse(text).unwrap()[environment]["global"]["parameters"]["parameter_overrides"]


def parse(override):
    """The name and the value that the SAM CLI reads from an override."""
    [(name, value)] = CfnParameterOverridesType().convert([override], None, None).items()
    return name, value


class Overrides(unittest.TestCase):
    def expect(self, override):
        name, value = parse(override)
        written = override.partition("=")[2]
        self.assertEqual(value, "" if written == '""' else written, override)
        self.assertIn(name, PARAMETERS, override)
        allowed = PARAMETERS[name].get("AllowedValues")
        if allowed:
            self.assertIn(value, allowed, override)

    def test_every_override_of_samconfig_is_one_also_where_it_is_a_comment(self):
        text = (ROOT / "samconfig.toml").read_text()
        suggested = re.sub(r"""^( *)# (["'].*,)$""", r"\1\2", text, flags=re.MULTILINE)
        for environment in ("development", "production"):
            overrides = listed(suggested, environment)
            self.assertEqual(overrides.pop(), "file://.aws-sam/release.yaml")
            for override in overrides:
                self.expect(override)
        self.assertGreater(len(overrides), len(listed(text, "production")))

    def test_every_override_that_a_page_or_a_comment_prints_is_one(self):
        texts = [ROOT / "samconfig.toml", *PAGES]
        overrides = [override for text in texts for override in printed(text.read_text())]
        for override in overrides:
            self.expect(override)
        for expected in ('JwtIssuer=""', 'RestoredTableName=""', "RollbackAlarms=false"):
            self.assertIn(expected, overrides)

    def test_an_override_that_the_cli_refuses_is_found(self):
        for page in ('leave it empty (`"JwtIssuer="`)', "JwtIssuer: `JwtIssuer=`", 'x = [\n    "JwtIssuer=",\n]'):
            [override] = printed(page)
            with self.assertRaises(click.BadParameter, msg=page):
                self.expect(override)

    def test_a_parameter_that_the_template_does_not_have_is_found(self):
        [override] = printed('`"JwtIssuers=https://issuer.example.com/"`')
        with self.assertRaises(AssertionError):
            self.expect(override)

    def test_what_a_runbook_sets_for_a_while_is_always_listed(self):
        text = (ROOT / "samconfig.toml").read_text()
        for environment in ("development", "production"):
            names = {override.partition("=")[0] for override in listed(text, environment)}
            self.assertLessEqual(SWITCHES, names, environment)

    def test_the_build_has_the_parameters_of_the_deployment_and_no_cache(self):
        for environment in ("development", "production"):
            commands = tomlkit.parse((ROOT / "samconfig.toml").read_text()).unwrap()[environment]
            # Both would be in one of these tables. `cached` would read all of target/ and .tools/.
            self.assertNotIn("build", commands)
            self.assertNotIn("parameter_overrides", commands["deploy"]["parameters"])


class Runbooks(unittest.TestCase):
    def test_a_switch_of_the_table_stops_the_writes_before_and_the_alarms_of_the_deployment(self):
        page = (ROOT / "docs/restore.md").read_text()
        steps = r"--reserved-concurrent-executions 0|```toml\n.*?```|make deploy|delete-function-concurrency"
        found = [step.strip("`").removeprefix("toml\n") for step in re.findall(steps, page, flags=re.DOTALL)]
        self.assertEqual(len(found), 8)
        for stop, parameters, deploy, start in (found[:4], found[4:]):
            self.assertEqual(stop, "--reserved-concurrent-executions 0")
            self.assertEqual((deploy, start), ("make deploy", "delete-function-concurrency"))
            switched = dict(map(parse, tomlkit.parse(f"parameters = [{parameters}]")["parameters"].unwrap()))
            self.assertEqual(list(switched), ["RestoredTableName", "RollbackAlarms", "Deployment"])
            self.assertEqual((switched["RollbackAlarms"], switched["Deployment"]), ("false", "AllAtOnce"))

    def test_no_page_sets_an_alarm_and_the_alias_is_moved_back_before_a_deployment(self):
        for page in PAGES:
            self.assertNotIn("set-alarm-state", page.read_text(), page)
        page = (ROOT / "docs/deployment.md").read_text()
        self.assertRegex(page, r"(?s)get-alias.*update-alias.*move the alias back")
