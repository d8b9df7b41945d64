"""infra/terraform/, parsed: its variables are the template's parameters, and all of them reach the stack.

No Terraform runs here: what it makes of the files is not tested.
"""

from __future__ import annotations

import importlib
import json
import re
from types import ModuleType
from typing import Any

import hcl2
import pytest

from .cfn import ROOT, TEMPLATE, load

DIRECTORY = ROOT / "infra" / "terraform"
PARAMETERS = load(TEMPLATE)["Parameters"]


@pytest.fixture
def terraform(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "infra"))
    return importlib.import_module("terraform")


def text(value: str) -> str:
    """A string as HCL means it."""
    return json.loads(value.replace("$${", "${").replace("%%{", "%{"))


def parsed(name: str) -> dict[str, Any]:
    return hcl2.loads((DIRECTORY / name).read_text())


def variables(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {text(name): found for entry in document["variable"] for name, found in entry.items()}


def default(variable: dict[str, Any]) -> Any:
    found = variable["default"]
    if isinstance(found, list):
        return ",".join(map(text, found))
    return text(found) if isinstance(found, str) else found


def test_the_variables_are_those_of_the_template_as_it_is(terraform: ModuleType) -> None:
    written = (DIRECTORY / "variables.tf").read_text()
    assert written == terraform.variables(TEMPLATE.read_text()), "run `python infra/terraform.py`"


@pytest.mark.parametrize("parameter", PARAMETERS)
def test_a_variable_says_what_the_parameter_says(terraform: ModuleType, parameter: str) -> None:
    expected = PARAMETERS[parameter]
    variable = variables(parsed("variables.tf"))[terraform.variable(parameter)]
    types = {"String": '"string"', "Number": '"number"', "CommaDelimitedList": "${list(string)}"}
    assert variable["type"].strip('"${}') == types[expected["Type"]].strip('"${}')
    assert ("default" in variable) == ("Default" in expected)
    if "Default" in expected:
        assert default(variable) == expected["Default"]
    if "Description" in expected:
        assert text(variable["description"]) == expected["Description"]
    limits = {"AllowedValues", "AllowedPattern", "MinValue", "MaxLength"} & expected.keys()
    validations = variable.get("validation", [])
    assert len(validations) == len(limits)
    for validation in validations:
        assert f"var.{terraform.variable(parameter)}" in validation["condition"]
        assert text(validation["error_message"]).startswith(f"{parameter}: ")


def test_there_are_no_other_variables_and_every_one_reaches_the_stack(terraform: ModuleType) -> None:
    document = parsed("variables.tf")
    names = {terraform.variable(parameter): parameter for parameter in PARAMETERS}
    assert variables(document).keys() == names.keys()
    assert len(names) == len(PARAMETERS)
    [local] = document["locals"]
    for name, parameter in names.items():
        passed = local["parameters"][parameter]
        is_list = PARAMETERS[parameter]["Type"] == "CommaDelimitedList"
        assert passed == (f'${{join(",", var.{name})}}' if is_list else f"${{var.{name}}}")
    assert local["parameters"].keys() == PARAMETERS.keys()
    assert not variables(parsed("main.tf")).keys() & names.keys()


@pytest.mark.parametrize("name", [name for name, found in PARAMETERS.items() if "AllowedPattern" in found])
def test_patterns_are_such_as_terraform_takes(name: str) -> None:
    # RE2: nothing looks ahead or behind or refers back, and nothing repeats more than a thousand times.
    pattern = PARAMETERS[name]["AllowedPattern"]
    assert not re.search(r"\(\?[=!<]|\\[1-9]", pattern)
    assert all(int(times) <= 1000 for times in re.findall(r"\{\d*,?(\d+)\}", pattern))


def test_a_dollar_sign_stays_one(terraform: ModuleType) -> None:
    for value in ("${x} %{ if } $5 100% \"'\\", "名前"):
        assert text(terraform.literal(value)) == value
    assert terraform.literal("${x}") == '"$${x}"'


def test_the_stack_gets_the_code_the_template_and_what_it_has_to_allow(terraform: ModuleType) -> None:
    document = parsed("main.tf")
    resources = {
        (text(kind), text(name)): body
        for entry in document["resource"]
        for kind, named in entry.items()
        for name, body in named.items()
    }
    assert resources.keys() == {
        ("aws_s3_object", "code"),
        ("aws_s3_object", "template"),
        ("aws_cloudformation_stack", "this"),
    }
    stack = resources["aws_cloudformation_stack", "this"]
    assert [text(item) for item in stack["capabilities"]] == ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
    package = importlib.import_module("package")
    added = terraform.declared(package.packaged(TEMPLATE.read_text())).keys() - PARAMETERS.keys()
    given = re.findall(r"(\w+) = aws_s3_object\.code\.\w+", stack["parameters"])
    assert stack["parameters"].startswith("${merge(local.parameters, ")
    assert set(given) == added
    [locals_] = document["locals"]
    # As infra/package.py names them.
    assert f"{package.NAME}-${{var.architecture}}-*.zip" in locals_["archive"]
    assert text(locals_["template"]).endswith(f"/{TEMPLATE.name}")
