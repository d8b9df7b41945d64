"""Packs what deploys the stack without a Rust toolchain: the program as Lambda takes it, the templates, a list of what
the program is made of, and the SHA-256 sums of these.

A zip of the other architecture that is there already stays, if it comes from the same commit.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import uuid
import zipfile
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import tomlkit
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Commit, Component, ComponentType, Pedigree
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from deploy import NAME, ROOT, SUMS, TEMPLATE, Problem
from packageurl import PackageURL

BOOTSTRAP = ROOT / "target" / "lambda" / NAME / "bootstrap"
MEMBER_ROLE = ROOT / "infra" / "member-role.yaml"
BILL_OF_MATERIALS = "sbom.cdx.json"
# e_machine of an ELF header.
ARCHITECTURES = {62: "x86_64", 183: "arm64"}
TARGETS = ("x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu")

PARAMETERS = """Parameters:
  # Where the zip is that lies beside this template: a bucket in the stack's region.
  CodeBucket:
    Type: String
    Description: The bucket that the function's zip was uploaded to, in the region of the stack.
    AllowedPattern: ^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$
    ConstraintDescription: a bucket's name
  CodeKey:
    Type: String
    Description: The zip's key in the bucket. Lambda takes new code where the key is new, so keep the hash in its name.
    MinLength: 1
    MaxLength: 1024

"""
CODE = """    CodeUri:
      Bucket: !Ref CodeBucket
      Key: !Ref CodeKey
"""


def architecture(bootstrap: bytes) -> str:
    """What a program was built for: its own header cannot be out of date."""
    is_program = bootstrap.startswith(b"\x7fELF") and len(bootstrap) >= 20
    found = ARCHITECTURES.get(struct.unpack_from("<H", bootstrap, 18)[0]) if is_program else None
    if not found:
        raise Problem(f"{BOOTSTRAP} is no program for x86_64 or arm64: run `make build`")
    return found


def zipped(bootstrap: bytes) -> bytes:
    """The zip that Lambda takes. Nothing in it but the program varies.

    It is not compressed: what a compressor makes of the same bytes depends on its version.
    """
    entry = zipfile.ZipInfo("bootstrap", (1980, 1, 1, 0, 0, 0))
    entry.create_system = 3
    entry.external_attr = 0o100755 << 16
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as written:
        written.writestr(entry, bootstrap)
    return archive.getvalue()


def packaged(template: str) -> str:
    """The template with parameters for where the code lies, in place of a local path."""
    # The comment above the path is about the path.
    text, paths = re.subn(r"(?: *#.*\n)* *CodeUri: \.\./target/\S+\n", CODE, template)
    text, sections = re.subn(r"^Parameters:\n", PARAMETERS, text, flags=re.MULTILINE)
    if (paths, sections) != (1, 1):
        raise Problem(
            f"{TEMPLATE} has {paths} local paths to code and {sections} sections of parameters: one each, please"
        )
    return text


def output_of(*command: str) -> str:
    """What a program prints, run in the repository."""
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    except FileNotFoundError as error:
        raise Problem(f"{command[0]} is missing") from error
    except subprocess.CalledProcessError as error:
        raise Problem(f"`{' '.join(command)}` failed: {error.stderr.strip()}") from error


def commit() -> str | None:
    """The commit that is checked out; None if files differ from it, or this is no repository."""
    try:
        return None if output_of("git", "status", "--porcelain") else output_of("git", "rev-parse", "HEAD").strip()
    except Problem:
        return None


def seconds() -> int:
    """When this was written, for what has to bear a date: SOURCE_DATE_EPOCH, else the last commit's time."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given:
        if not given.isdigit():
            raise Problem(f"SOURCE_DATE_EPOCH is {given!r}: seconds since 1970 are expected")
        return int(given)
    try:
        return int(output_of("git", "log", "-1", "--format=%ct"))
    except Problem:
        return 0


def bill_of_materials(metadata: dict[str, Any], lock: str, built_from: str | None, written: int) -> str:
    """A CycloneDX document of the crates that the program is built from, without those that only its tests need.

    `metadata` is cargo's, `lock` the text of Cargo.lock.
    """
    packages = {package["id"]: package for package in metadata["packages"]}
    needs = {
        node["id"]: [dep["pkg"] for dep in node["deps"] if any(kind["kind"] is None for kind in dep["dep_kinds"])]
        for node in metadata["resolve"]["nodes"]
    }
    checksums = {
        (package["name"], package["version"]): str(package["checksum"])
        for package in tomlkit.parse(lock)["package"]
        if "checksum" in package
    }
    licenses = LicenseFactory()

    def component(package: dict[str, Any], **more: Any) -> Component:
        name, version = package["name"], package["version"]
        purl = PackageURL("cargo", name=name, version=version)
        # Cargo's old way to write OR.
        terms = re.sub(r"\s*/\s*", " OR ", package["license"] or "")
        digest = checksums.get((name, version))
        return Component(
            name=name,
            version=version,
            purl=purl,
            bom_ref=purl.to_string(),
            description=package["description"],
            licenses=[licenses.make_from_string(terms)] if terms else [],
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)] if digest else [],
            **more,
        )

    [root] = metadata["workspace_members"]
    history = Pedigree(commits=[Commit(uid=built_from)]) if built_from else None
    program = component(packages[root], type=ComponentType.APPLICATION, pedigree=history)
    components, waiting = {root: program}, [root]
    while waiting:
        for needed in needs[waiting.pop()]:
            if needed not in components:
                components[needed] = component(packages[needed], type=ComponentType.LIBRARY)
                waiting.append(needed)
    bom = Bom(
        components=[found for id, found in components.items() if id != root],
        metadata=BomMetaData(component=program, timestamp=datetime.fromtimestamp(written, timezone.utc)),
        # The same for the same commit.
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"{program.purl}#{built_from}#{lock}"),
    )
    for id, found in components.items():
        bom.register_dependency(found, [components[needed] for needed in needs[id]])
    return make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=2) + "\n"


def cargo_metadata() -> dict[str, Any]:
    """What cargo knows of the program and its crates, on both architectures."""
    platforms = [part for target in TARGETS for part in ("--filter-platform", target)]
    return json.loads(output_of("cargo", "metadata", "--locked", "--format-version", "1", *platforms))


def built_from(document: Path) -> str | None:
    """The commit that an earlier package names."""
    try:
        [found] = json.loads(document.read_text())["metadata"]["component"]["pedigree"]["commits"]
        return found["uid"]
    except (OSError, ValueError, KeyError):
        return None


def write(into: Path) -> list[Path]:
    """Packs what `make build` made; the files of the package."""
    if not BOOTSTRAP.exists():
        raise Problem(f"{BOOTSTRAP} is missing: run `make build`")
    bootstrap = BOOTSTRAP.read_bytes()
    kind = architecture(bootstrap)
    archive = zipped(bootstrap)
    now_at = commit()
    into.mkdir(parents=True, exist_ok=True)
    same_commit = now_at is not None and built_from(into / BILL_OF_MATERIALS) == now_at
    for old in into.glob(f"{NAME}-*.zip"):
        if not same_commit or old.name.startswith(f"{NAME}-{kind}-"):
            old.unlink()
    # With a new name where the program is a new one: CloudFormation looks at the key, not at what is behind it.
    (into / f"{NAME}-{kind}-{hashlib.sha256(archive).hexdigest()[:12]}.zip").write_bytes(archive)
    (into / TEMPLATE.name).write_text(packaged(TEMPLATE.read_text()))
    shutil.copyfile(MEMBER_ROLE, into / MEMBER_ROLE.name)
    materials = bill_of_materials(cargo_metadata(), (ROOT / "Cargo.lock").read_text(), now_at, seconds())
    (into / BILL_OF_MATERIALS).write_text(materials)
    files = sorted(
        [*into.glob(f"{NAME}-*.zip"), *(into / name for name in (TEMPLATE.name, MEMBER_ROLE.name, BILL_OF_MATERIALS))]
    )
    sums = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files]
    (into / SUMS).write_text("".join(sums))
    if now_at is None:
        print("Not the package of a commit: files here are not, or not as they are, in the repository.")
    return [*files, into / SUMS]


def main(arguments: list[str] | None = None) -> None:
    """Packs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("into", type=Path, help="the directory to write to")
    try:
        for file in write(parser.parse_args(arguments).into):
            print(file)
    except Problem as problem:
        sys.exit(f"error: {problem}")


if __name__ == "__main__":
    main()
