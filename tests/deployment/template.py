"""Sets the parameters of template.yaml, transforms it as SAM does, resolves its conditions, and lints the result.

It tries each setting alone, and all of them together. So every pair of settings meets, both on and off. COMBINATIONS=all
tries every combination, which takes two hours.
"""

import functools
import itertools
import json
import logging
import operator
import os
import unittest
from pathlib import Path

from cfnlint.api import ManualArgs, lint
from samcli.yamlhelper import yaml_parse
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

ROOT = Path(__file__).parent.parent.parent
TEMPLATE = yaml_parse((ROOT / "template.yaml").read_text())
SETTINGS = [
    {"AllowOrigins": "https://a.example.com,https://b.example.com"},
    {"AllowSharedSecrets": "true"},
    {"RestoredTableName": "restored"},
    {"PreviousTableName": "previous"},
    {"ProjectsTableName": "projects"},
    {"PreviousProjectsTableName": "previous-projects"},
    {"DynamoDbEndpoint": "http://localhost:8000"},
    {"RollbackAlarms": "false"},
    {"AlarmTopicArn": "arn:aws:sns:us-east-1:123456789012:alarms"},
    {"EventBusName": "default"},
]
DOMAIN = {"DomainName": "flows.example.com", "CertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/1"}
ZONE = {"HostedZoneId": "Z0123456789EXAMPLE"}
TRUSTSTORE = {"TruststoreUri": "s3://bucket/authorities.pem", "TruststoreVersion": "1"}
DOMAINS = [{}, DOMAIN, DOMAIN | ZONE, DOMAIN | TRUSTSTORE, DOMAIN | ZONE | TRUSTSTORE]
NO_VALUE = {"Ref": "AWS::NoValue"}


def combinations():
    """Sets of parameter values. Other parameters have their defaults."""
    if os.environ.get("COMBINATIONS") == "all":
        subsets = itertools.product(*([{}, setting] for setting in SETTINGS), DOMAINS)
        return [functools.reduce(operator.or_, subset) for subset in subsets]
    together = functools.reduce(operator.or_, SETTINGS)
    return [*SETTINGS, *DOMAINS, *(together | domain for domain in DOMAINS)]


def resolve(value, values, conditions):
    """Resolves parameters and conditions as CloudFormation does. References to resources stay."""
    again = functools.partial(resolve, values=values, conditions=conditions)
    match value:
        case {"Condition": str(name)} if len(value) == 1:
            return again(conditions[name])
        case {"Fn::Equals": [one, other]}:
            return again(one) == again(other)
        case {"Fn::Not": [one]}:
            return not again(one)
        case {"Fn::And": parts}:
            return all(map(again, parts))
        case {"Fn::Or": parts}:
            return any(map(again, parts))
        case {"Fn::If": [name, yes, no]}:
            return again(yes if again(conditions[name]) else no)
        case {"Ref": name} if name in values:
            listed = TEMPLATE["Parameters"][name]["Type"] == "CommaDelimitedList"
            return values[name].split(",") if listed else values[name]
        case {"Fn::Join": [separator, {"Ref": name}]} if name in values:
            return separator.join(again({"Ref": name}))
        case {"Fn::Sub": str(text)}:
            for name in values:
                text = text.replace(f"${{{name}}}", str(values[name]))
            return {"Fn::Sub": text} if "${" in text else text
        case dict():
            resolved = {name: again(inner) for name, inner in value.items()}
            return {name: inner for name, inner in resolved.items() if inner != NO_VALUE}
        case list():
            return [inner for inner in map(again, value) if inner != NO_VALUE]
    return value


def deployed(parameters):
    """The template as CloudFormation deploys it."""
    source = json.loads(json.dumps(TEMPLATE))
    source["Resources"]["Function"]["Properties"]["CodeUri"] = "s3://bucket/package"
    template = Translator({}, Parser()).translate(source, {"Jwks": "{}"} | parameters)
    values = {name: parameter.get("Default", "{}") for name, parameter in template["Parameters"].items()} | parameters
    resources = {}
    for name, resource in template["Resources"].items():
        condition = resource.pop("Condition", None)
        if condition is None or resolve({"Condition": condition}, values, template["Conditions"]):
            resources[name] = resolve(resource, values, template["Conditions"])
    return {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}


def permitted(template):
    """The permissions of the function, as pairs of action and resource."""
    [policy] = template["Resources"]["FunctionRole"]["Properties"]["Policies"]
    for statement in policy["PolicyDocument"]["Statement"]:
        actions = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        yield from ((action, json.dumps(on)) for action in actions for on in statement["Resource"])


def expected_permissions(parameters):
    """The permissions that it needs: for the tables in use, and for those of earlier versions."""
    arn = "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/"
    name = parameters.get("RestoredTableName")
    tables = [({"Fn::Sub": arn + name}, arn + name) if name else ({"Fn::GetAtt": ["Table", "Arn"]}, "${Table.Arn}")]
    if name := parameters.get("PreviousTableName"):
        tables.append(({"Fn::Sub": arn + name}, arn + name))
    for table, prefix in tables:
        yield from ((f"dynamodb:{action}", json.dumps(table)) for action in ("ConditionCheckItem", "GetItem", "PutItem", "Query"))
        yield "dynamodb:Query", json.dumps({"Fn::Sub": f"{prefix}/index/*"})
    for name in filter(None, map(parameters.get, ("ProjectsTableName", "PreviousProjectsTableName"))):
        yield from ((f"dynamodb:{action}", json.dumps({"Fn::Sub": arn + name})) for action in ("ConditionCheckItem", "GetItem"))


class Template(unittest.TestCase):
    def test_every_combination_passes_the_linter_and_lets_the_function_do_what_it_must_and_no_more(self):
        os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
        logging.disable()
        for parameters in combinations():
            with self.subTest(**parameters):
                template = deployed(parameters)
                found = lint(json.dumps(template), config=ManualArgs(regions=["us-east-1"]))
                self.assertEqual([f"{match.rule.id} {match.message}" for match in found], [])
                self.assertEqual(sorted(permitted(template)), sorted(expected_permissions(parameters)))
                # An empty configuration removes the alarms of a deployment group.
                alarms = template["Resources"]["FunctionDeploymentGroup"]["Properties"]["AlarmConfiguration"]
                self.assertEqual(alarms == {}, parameters.get("RollbackAlarms") == "false")
                variables = template["Resources"]["Function"]["Properties"]["Environment"]["Variables"]
                self.assertEqual(variables["ALLOW_SHARED_SECRETS"], parameters.get("AllowSharedSecrets", "false"))

    def test_sam_local_hands_over_every_variable_of_its_file(self):
        variables = TEMPLATE["Resources"]["Function"]["Properties"]["Environment"]["Variables"]
        given = json.loads((ROOT / "tools/sam-local.json").read_text())["Function"]
        # Others than those of the template it leaves out without a word.
        self.assertLessEqual(set(given), set(variables))
