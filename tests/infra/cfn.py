"""What CloudFormation would make of a template: SAM's transform, then parameters, conditions and intrinsic functions.

The transform is AWS's own (aws-sam-translator). For the rest there is no library: cfn-lint's resolver is private to
its rules, and moto's leaves out what it does not support. It takes only what the templates here use; anything else is
an error, never passed through.
"""

from __future__ import annotations

import copy
import json
import os
import re
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "infra" / "template.yaml"
MEMBER_ROLE = ROOT / "infra" / "member-role.yaml"

# Properties by which a resource gets a name of its own.
NAMES = ("RoleName", "DashboardName")

_NO_VALUE = object()
VARIABLE = re.compile(r"\$\{(!?)([^}]+)\}")


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms."""


def _tag(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        return {name: value.split(".", 1) if suffix == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _tag)


@dataclass(frozen=True)
class Place:
    """Where a stack stands."""

    partition: str
    region: str
    suffix: str
    account: str = "123456789012"


PLACES = {
    "aws": Place("aws", "us-east-1", "amazonaws.com"),
    "aws-cn": Place("aws-cn", "cn-north-1", "amazonaws.com.cn"),
    "aws-us-gov": Place("aws-us-gov", "us-gov-west-1", "amazonaws.com"),
}


def load(path: Path) -> dict[str, Any]:
    """The template as it is written."""
    return yaml.load(path.read_text(), _Loader)


def translate(template: dict[str, Any], region: str) -> dict[str, Any]:
    """The template after SAM's transform; one without a transform as it is."""
    if "Transform" not in template:
        return template
    template = copy.deepcopy(template)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            # As packaging would: the transform takes no local path.
            resource["Properties"]["CodeUri"] = "s3://bucket/key"
    before = os.environ.get("AWS_DEFAULT_REGION")
    os.environ["AWS_DEFAULT_REGION"] = region
    try:
        return Translator({}, Parser()).translate(template, {})
    finally:
        os.environ.pop("AWS_DEFAULT_REGION")
        if before is not None:
            os.environ["AWS_DEFAULT_REGION"] = before


@dataclass
class Stack:
    """A template with every function evaluated, as for one place and one set of parameters."""

    template: dict[str, Any]
    place: Place = PLACES["aws"]
    parameters: dict[str, str] = field(default_factory=dict)
    name: str = "passwords"

    def __post_init__(self) -> None:
        declared = self.template["Parameters"]
        unknown = self.parameters.keys() - declared.keys()
        if unknown:
            raise ValueError(f"no parameter {unknown}")
        self._values: dict[str, Any] = {}
        for name, parameter in declared.items():
            value = self.parameters.get(name, parameter.get("Default"))
            if value is None:
                raise ValueError(f"{name} has no default")
            is_list = parameter["Type"] == "CommaDelimitedList"
            self._values[name] = [item.strip() for item in str(value).split(",")] if is_list else str(value)
        present = {
            name: resource
            for name, resource in self.template["Resources"].items()
            if "Condition" not in resource or self.condition(resource["Condition"])
        }
        self._types = {name: resource["Type"] for name, resource in present.items()}
        self._raw = present

    @cached_property
    def resources(self) -> dict[str, dict[str, Any]]:
        """Everything that is created."""
        return {name: self.value(resource) for name, resource in self._raw.items()}

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """The properties of all resources of a type, by logical id."""
        return {name: res.get("Properties", {}) for name, res in self.resources.items() if res["Type"] == kind}

    def properties(self, name: str) -> dict[str, Any]:
        """A resource's properties."""
        return self.resources[name]["Properties"]

    def condition(self, name: str) -> bool:
        """Whether a condition holds."""
        return bool(self.value(self.template["Conditions"][name]))

    def value(self, node: Any) -> Any:
        """`node`, evaluated."""
        if isinstance(node, list):
            return [item for item in map(self.value, node) if item is not _NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((key, argument),) = node.items()
            if key == "Ref":
                return self.ref(argument)
            if key == "Condition" and isinstance(argument, str):
                return self.condition(argument)
            if key.startswith("Fn::"):
                return self._function(key[4:], argument)
        return {key: item for key, item in ((k, self.value(v)) for k, v in node.items()) if item is not _NO_VALUE}

    def _function(self, name: str, argument: Any) -> Any:
        if name == "If":
            condition, yes, no = argument
            return self.value(yes if self.condition(condition) else no)
        if name == "Sub":
            text, own = (argument, {}) if isinstance(argument, str) else argument
            return self._substituted(text, {key: self.value(item) for key, item in own.items()})
        if name == "GetAtt":
            logical, attribute = argument if isinstance(argument, list) else argument.split(".", 1)
            return self.attribute(logical, attribute)
        argument = self.value(argument)
        match name:
            case "Equals":
                return str(argument[0]) == str(argument[1])
            case "Not":
                return not argument[0]
            case "And":
                return all(argument)
            case "Or":
                return any(argument)
            case "Join":
                return argument[0].join(argument[1])
            case "Split":
                return argument[1].split(argument[0])
            case "Select":
                return argument[1][int(argument[0])]
        raise NotImplementedError(f"Fn::{name}")

    def _substituted(self, text: str, own: dict[str, Any]) -> str:
        def replace(match: re.Match[str]) -> str:
            literal, name = match.groups()
            if literal:
                return f"${{{name}}}"
            if name in own:
                return str(own[name])
            return str(self.attribute(*name.split(".", 1)) if "." in name else self.ref(name))

        return VARIABLE.sub(replace, text)

    def ref(self, name: str) -> Any:
        """What `Ref` gives."""
        place = self.place
        pseudo = {
            "AWS::Partition": place.partition,
            "AWS::Region": place.region,
            "AWS::AccountId": place.account,
            "AWS::URLSuffix": place.suffix,
            "AWS::StackName": self.name,
            "AWS::NoValue": _NO_VALUE,
        }
        if name in pseudo:
            return pseudo[name]
        if name in self._values:
            return self._values[name]
        match self._types[name]:
            case "AWS::SNS::Topic" | "AWS::IAM::ManagedPolicy":
                return self.attribute(name, "Arn")
            case "AWS::SQS::Queue":
                return f"https://sqs.{place.region}.{place.suffix}/{place.account}/{self.physical(name)}"
        return self.physical(name)

    def physical(self, name: str) -> str:
        """The name that a resource gets: its own, or one like those that CloudFormation makes up."""
        properties = self._raw[name].get("Properties", {})
        for key in NAMES:
            if key in properties:
                return str(self.value(properties[key]))
        return f"{self.name}-{name}-0123456789AB"

    def attribute(self, name: str, attribute: str) -> str:
        """What `Fn::GetAtt` gives."""
        place, physical, kind = self.place, self.physical(name), self._types[name]
        if attribute == "QueueName":
            return physical
        if attribute != "Arn":
            raise NotImplementedError(f"{kind} {attribute}")
        here = f"{place.region}:{place.account}"
        path = self.value(self._raw[name].get("Properties", {}).get("Path", "/"))
        forms = {
            "AWS::DynamoDB::Table": f"dynamodb:{here}:table/{physical}",
            "AWS::Events::Rule": f"events:{here}:rule/{physical}",
            "AWS::IAM::ManagedPolicy": f"iam::{place.account}:policy/{physical}",
            "AWS::IAM::Role": f"iam::{place.account}:role{path}{physical}",
            "AWS::Lambda::Function": f"lambda:{here}:function:{physical}",
            "AWS::Logs::LogGroup": f"logs:{here}:log-group:{physical}:*",
            "AWS::SNS::Topic": f"sns:{here}:{physical}",
            "AWS::SQS::Queue": f"sqs:{here}:{physical}",
        }
        return f"arn:{place.partition}:{forms[kind]}"


def document(policy: Any) -> dict[str, Any]:
    """A policy document or event pattern, whether it is written as an object or as JSON in a string."""
    return json.loads(policy) if isinstance(policy, str) else policy


def statements(policy: Any) -> list[dict[str, Any]]:
    """A policy's statements, a single one in a list too."""
    found = document(policy)["Statement"]
    return found if isinstance(found, list) else [found]


# What has no default: any address will do.
ASKED = {"OperatorEmail": "operator@example.com"}
MEMBER_ASKED = {
    "FunctionRoleArn": "arn:aws:iam::123456789012:role/passwords-us-east-1",
    "AuditFunctionRoleArn": "arn:aws:iam::123456789012:role/passwords-us-east-1-audit",
    "OrganizationId": "o-exampleorg1",
}


@cache
def translated(region: str) -> dict[str, Any]:
    """template.yaml after SAM's transform, which takes a while."""
    return translate(load(TEMPLATE), region)


@cache
def main_stack(partition: str = "aws", place: Place | None = None, **parameters: str) -> Stack:
    """template.yaml, deployed."""
    place = place or PLACES[partition]
    return Stack(translated(place.region), place, ASKED | parameters)


@cache
def member_stack(partition: str = "aws", place: Place | None = None, **parameters: str) -> Stack:
    """member-role.yaml, deployed to an account of the organisation."""
    place = place or replace(PLACES[partition], account="210987654321")
    asked = {key: value.replace("arn:aws:", f"arn:{place.partition}:") for key, value in MEMBER_ASKED.items()}
    return Stack(load(MEMBER_ROLE), place, asked | parameters, "member")
