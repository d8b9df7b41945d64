"""What infra/package.py writes: the same from the same, complete, and enough by itself for CloudFormation."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import subprocess
import zipfile
from pathlib import Path
from types import ModuleType

import boto3
import pytest
import tomlkit
from cfnlint.api import ManualArgs, lint_file
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from .cfn import ASKED, MEMBER_ROLE, PLACES, ROOT, TEMPLATE, Stack, load
from .deployment import deploy, moto_alone

NAME = "iam-password-remediator"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def program(machine: int, content: bytes = b"") -> bytes:
    """Enough of a program to tell what it is for: 62 is x86_64, 183 is arm64."""
    return b"\x7fELF" + bytes(14) + machine.to_bytes(2, "little") + content


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "infra"))
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    package = importlib.import_module("package")
    monkeypatch.setattr(package, "BOOTSTRAP", tmp_path / "bootstrap")
    monkeypatch.setattr(package, "commit", lambda: COMMIT)
    package.BOOTSTRAP.write_bytes(program(62))
    return package


def contents(directory: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in directory.iterdir()}


def zips(directory: Path) -> list[str]:
    return sorted(file.name.split("-")[3] for file in directory.glob("*.zip"))


# The same from the same ----------------------------------------------------------------------------------------------


def test_packing_twice_gives_the_same_bytes(
    package: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package.write(tmp_path / "a")
    # Another time, other rights, another place, another time zone.
    package.BOOTSTRAP.chmod(0o600)
    os.utime(package.BOOTSTRAP, (2_000_000_000, 2_000_000_000))
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.chdir(tmp_path)
    package.write(tmp_path / "b")
    first, second = contents(tmp_path / "a"), contents(tmp_path / "b")
    assert first == second
    [archive] = (name for name in first if name.endswith(".zip"))
    assert first.keys() == {archive, "SHA256SUMS", "member-role.yaml", "sbom.cdx.json", "template.yaml"}


def test_another_program_has_another_name(package: ModuleType, tmp_path: Path) -> None:
    package.write(tmp_path / "a")
    package.BOOTSTRAP.write_bytes(program(62, b"changed"))
    package.write(tmp_path / "b")
    [first], [second] = (tmp_path / "a").glob("*.zip"), (tmp_path / "b").glob("*.zip")
    assert first.name != second.name


def test_lambda_gets_the_program_as_it_is_and_can_run_it(package: ModuleType, tmp_path: Path) -> None:
    package.write(tmp_path / "dist")
    [archive] = (tmp_path / "dist").glob("*.zip")
    with zipfile.ZipFile(archive) as read:
        [entry] = read.infolist()
        assert read.read(entry) == package.BOOTSTRAP.read_bytes()
    assert entry.filename == "bootstrap"
    assert entry.external_attr >> 16 == 0o100755
    assert entry.create_system == 3, "or the rights mean nothing"
    assert entry.date_time == (1980, 1, 1, 0, 0, 0)
    assert entry.compress_type == zipfile.ZIP_STORED


def test_the_sums_are_those_of_every_file(package: ModuleType, tmp_path: Path) -> None:
    package.write(tmp_path / "dist")
    found = contents(tmp_path / "dist")
    sums = found.pop("SHA256SUMS").decode()
    expected = [f"{hashlib.sha256(found[name]).hexdigest()}  {name}\n" for name in sorted(found)]
    assert sums == "".join(expected)
    assert found["member-role.yaml"] == MEMBER_ROLE.read_bytes()


# Architectures -------------------------------------------------------------------------------------------------------


def test_a_zip_of_the_other_architecture_stays_with_its_commit(
    package: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    into = tmp_path / "dist"
    package.write(into)
    package.BOOTSTRAP.write_bytes(program(183))
    package.write(into)
    assert zips(into) == ["arm64", "x86_64"]
    assert (into / "SHA256SUMS").read_text().count(".zip") == 2
    # A new one takes the place of the old.
    package.BOOTSTRAP.write_bytes(program(183, b"changed"))
    package.write(into)
    assert zips(into) == ["arm64", "x86_64"]
    monkeypatch.setattr(package, "commit", lambda: "another")
    package.write(into)
    assert zips(into) == ["arm64"]


def test_without_a_commit_nothing_older_stays(
    package: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(package, "commit", lambda: None)
    package.write(tmp_path / "dist")
    package.BOOTSTRAP.write_bytes(program(183))
    package.write(tmp_path / "dist")
    assert zips(tmp_path / "dist") == ["arm64"]
    assert "Not the package of a commit" in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"#!/bin/sh\n", b"\x7fELF", program(3)])
def test_what_is_no_program_for_lambda_is_not_packed(
    package: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    package.BOOTSTRAP.write_bytes(content)
    with pytest.raises(SystemExit, match="no program for x86_64 or arm64"):
        package.main([str(tmp_path / "dist")])
    package.BOOTSTRAP.unlink()
    with pytest.raises(SystemExit, match="is missing: run `make build`"):
        package.main([str(tmp_path / "dist")])
    assert not (tmp_path / "dist").exists()


# Where and when ------------------------------------------------------------------------------------------------------


def test_a_commit_counts_if_nothing_differs_from_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "infra"))
    package = importlib.import_module("package")
    repository = tmp_path / "repository"
    repository.mkdir()
    monkeypatch.setattr(package, "ROOT", repository)
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert package.commit() is None
    assert package.seconds() == 0
    when = {"GIT_AUTHOR_DATE": "@1700000000 +0000", "GIT_COMMITTER_DATE": "@1700000000 +0000"}
    who = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    for command in (["init", "--quiet"], [*who, "commit", "--quiet", "--allow-empty", "--message", "first"]):
        subprocess.run(["git", *command], cwd=repository, env={**os.environ, **when}, check=True)
    assert len(package.commit()) == 40
    assert package.seconds() == 1700000000
    (repository / "new").touch()
    assert package.commit() is None
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1600000000")
    assert package.seconds() == 1600000000
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(package.Problem, match="SOURCE_DATE_EPOCH is 'yesterday'"):
        package.seconds()


# The bill of materials -----------------------------------------------------------------------------------------------


@pytest.fixture
def materials(package: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    package.write(tmp_path / "dist")
    return (tmp_path / "dist" / "sbom.cdx.json").read_text()


def test_the_bill_of_materials_is_valid(materials: str) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(materials) is None
    # Or the validator says yes to everything.
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(materials.replace('"library"', '"books"')) is not None


def test_the_bill_of_materials_lists_what_is_built_in(materials: str) -> None:
    document = json.loads(materials)
    manifest = tomlkit.parse((ROOT / "Cargo.toml").read_text())
    components = {component["name"]: component for component in document["components"]}
    assert set(manifest["dependencies"]) <= components.keys()
    # Not what only tests need, though it stands in Cargo.lock too.
    assert not {"bolero", "proptest", "stateright"} & components.keys()
    locked = {
        (crate["name"], crate["version"]): crate.get("checksum")
        for crate in tomlkit.parse((ROOT / "Cargo.lock").read_text())["package"]
    }
    for component in document["components"]:
        [digest] = component["hashes"]
        assert digest["content"] == locked[component["name"], component["version"]]
        assert component["purl"] == f"pkg:cargo/{component['name']}@{component['version']}"
        assert component["licenses"]
    # Everything hangs together, from the program on.
    needs = {entry["ref"]: entry.get("dependsOn", []) for entry in document["dependencies"]}
    root = document["metadata"]["component"]
    reached, waiting = set(), [root["bom-ref"]]
    while waiting:
        ref = waiting.pop()
        if ref not in reached:
            reached.add(ref)
            waiting += needs[ref]
    assert reached == {root["bom-ref"], *(component["bom-ref"] for component in document["components"])}


def test_the_bill_of_materials_says_of_what_and_when(materials: str) -> None:
    metadata = json.loads(materials)["metadata"]
    assert (metadata["component"]["name"], metadata["component"]["type"]) == (NAME, "application")
    assert metadata["component"]["pedigree"]["commits"] == [{"uid": COMMIT}]
    assert metadata["timestamp"] == "2023-11-14T22:13:20+00:00"
    assert str(Path.home()) not in materials
    assert str(ROOT) not in materials


# The template --------------------------------------------------------------------------------------------------------


def test_the_packaged_template_is_the_template_but_for_where_the_code_is(package: ModuleType, tmp_path: Path) -> None:
    package.write(tmp_path / "dist")
    found, expected = load(tmp_path / "dist" / "template.yaml"), load(TEMPLATE)
    assert found["Parameters"].pop("CodeBucket")["Type"] == "String"
    assert found["Parameters"].pop("CodeKey")["Type"] == "String"
    code = found["Globals"]["Function"].pop("CodeUri")
    assert code == {"Bucket": {"Ref": "CodeBucket"}, "Key": {"Ref": "CodeKey"}}
    assert expected["Globals"]["Function"].pop("CodeUri").startswith("../target/")
    assert found == expected
    assert "../target" not in (tmp_path / "dist" / "template.yaml").read_text()


def test_the_packaged_template_passes_the_linter(package: ModuleType, tmp_path: Path) -> None:
    package.write(tmp_path / "dist")
    assert lint_file(tmp_path / "dist" / "template.yaml", ManualArgs(regions=["us-east-1"])) == []


@pytest.mark.parametrize("part", ["    CodeUri: ../target/lambda/iam-password-remediator/\n", "Parameters:\n"])
def test_a_template_of_another_form_is_not_packed(package: ModuleType, part: str) -> None:
    template = TEMPLATE.read_text()
    assert part in template
    for changed in (template.replace(part, ""), template.replace(part, part + part)):
        with pytest.raises(package.Problem, match="one each, please"):
            package.packaged(changed)


# A stack from nothing else -------------------------------------------------------------------------------------------


def test_a_stack_stands_on_a_package_alone(package: ModuleType, tmp_path: Path) -> None:
    package.write(tmp_path / "dist")
    [archive] = (tmp_path / "dist").glob("*.zip")
    place = PLACES["aws"]
    with moto_alone(place):
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="our-bucket")
        s3.upload_file(str(archive), "our-bucket", archive.name)
        parameters = ASKED | {"CodeBucket": "our-bucket", "CodeKey": archive.name}
        # AWS's own transform, which moto does not carry out.
        template = Translator({}, Parser()).translate(load(tmp_path / "dist" / "template.yaml"), dict(parameters))
        created = deploy(template, Stack(template, place, parameters), parameters)
        client = boto3.client("lambda")
        functions = [
            client.get_function_configuration(FunctionName=created[name]) for name in ("Function", "AuditFunction")
        ]
    for function in functions:
        assert function["Runtime"] == "provided.al2023"
        assert function["Architectures"] == ["x86_64"]
        assert function["CodeSize"] == archive.stat().st_size
