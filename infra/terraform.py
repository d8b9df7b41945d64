"""Writes infra/terraform/variables.tf: the template's parameters as Terraform's variables.

    python infra/terraform.py

Run it whenever a parameter has changed; tests/infra/test_terraform.py finds out if it was not.
"""

from __future__ import annotations

import json
import re
from typing import Any

from deploy import ROOT, TEMPLATE, declared

VARIABLES = ROOT / "infra" / "terraform" / "variables.tf"
HEADER = "# Written by infra/terraform.py from the parameters of infra/template.yaml.\n"
TYPES = {"String": "string", "Number": "number", "CommaDelimitedList": "list(string)"}


def variable(parameter: str) -> str:
    """The name of a parameter's variable."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", parameter).lower()


def literal(value: Any) -> str:
    """A value in HCL, in which ${ and %{ begin a template."""
    return json.dumps(value, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")


def conditions(name: str, parameter: dict[str, Any]) -> list[tuple[str, str]]:
    """What the template asks of a value, as expressions that are true, each with what is said otherwise."""
    found = []
    if allowed := parameter.get("AllowedValues"):
        found.append((f"contains({literal(allowed)}, {name})", f"allowed are {', '.join(map(str, allowed))}."))
    if "MinValue" in parameter:
        least, most = parameter["MinValue"], parameter["MaxValue"]
        found.append((f"{name} >= {least} && {name} <= {most}", f"allowed are {least} to {most}."))
    if "MaxLength" in parameter:
        longest = parameter["MaxLength"]
        found.append((f"length({name}) <= {longest}", f"allowed are up to {longest} characters."))
    if pattern := parameter.get("AllowedPattern"):
        matches = "can(regex({}, {}))".format(literal(pattern), "item" if is_list(parameter) else name)
        condition = f"alltrue([for item in {name} : {matches}])" if is_list(parameter) else matches
        found.append((condition, parameter.get("ConstraintDescription", f"it has to match {pattern}") + "."))
    return found


def is_list(parameter: dict[str, Any]) -> bool:
    """Whether the parameter takes several values."""
    return parameter["Type"] == "CommaDelimitedList"


def block(name: str, parameter: dict[str, Any]) -> str:
    """The variable of one parameter."""
    lines = [f'variable "{variable(name)}" {{', f"  type        = {TYPES[parameter['Type']]}"]
    if "Description" in parameter:
        lines.append(f"  description = {literal(parameter['Description'])}")
    if "Default" in parameter:
        default = parameter["Default"]
        if is_list(parameter):
            default = default.split(",") if default else []
        lines.append(f"  default     = {literal(default)}")
    for condition, otherwise in conditions(f"var.{variable(name)}", parameter):
        lines += [
            "",
            "  validation {",
            f"    condition     = {condition}",
            f"    error_message = {literal(f'{name}: {otherwise}')}",
            "  }",
        ]
    return "\n".join([*lines, "}\n"])


def variables(template: str) -> str:
    """The file for a template."""
    parameters = declared(template)
    width = max(map(len, parameters))
    values = {
        name: f'join(",", var.{variable(name)})' if is_list(parameter) else f"var.{variable(name)}"
        for name, parameter in parameters.items()
    }
    passed = "".join(f"    {name:{width}} = {value}\n" for name, value in values.items())
    blocks = [block(name, parameter) for name, parameter in parameters.items()]
    return "\n".join([HEADER, *blocks, f"locals {{\n  parameters = {{\n{passed}  }}\n}}\n"])


if __name__ == "__main__":
    VARIABLES.write_text(variables(TEMPLATE.read_text()))
