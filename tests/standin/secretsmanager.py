"""Secrets Manager, mended: versions that never change, labels that sit on one version, moves that are atomic.

Versions: https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html
moto's backend keeps the secrets and deletes them; everything about versions is here.
"""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

from moto.secretsmanager import models as moto_secretsmanager
from moto.secretsmanager import responses as moto_responses

from .settings import SETTINGS, now
from .tags import is_valid_value
from .wire import ApiError

CURRENT, PREVIOUS = "AWSCURRENT", "AWSPREVIOUS"

_NAME = re.compile(r"[A-Za-z0-9/_+=.@-]{1,512}")
_ARN = re.compile(r"arn:aws[a-z-]*:secretsmanager:[^:]+:\d{12}:secret:(.+)")
_ARN_SUFFIX_LENGTH = len("-123456")
_MAX_VALUE_BYTES = 65536
_MOST_LABELS = 20
_MOST_RESULTS = 100

# A version as moto keeps it: version_id, version_stages, createdate, secret_string or secret_binary.
Version = dict[str, Any]


class Secret(moto_secretsmanager.FakeSecret):
    """One secret. A label is on one version at most; a version without labels is deprecated."""

    def holder(self, label: str) -> str | None:
        """The version that `label` is attached to."""
        return next((key for key, version in self.versions.items() if label in version["version_stages"]), None)

    def add_version(self, version_id: str, value: dict[str, str], labels: list[str]) -> None:
        """AWS: the first version gets AWSCURRENT whatever labels were asked for."""
        first = not self.versions
        self._check_room(set(labels))
        self.versions[version_id] = {
            "version_id": version_id,
            "version_stages": [],
            "createdate": now().timestamp(),
            **value,
        }
        for label in [*labels, CURRENT] if first and CURRENT not in labels else labels:
            self.attach(label, version_id)
        self.touch()

    def attach(self, label: str, version_id: str) -> None:
        """Moves `label`. Moving AWSCURRENT puts AWSPREVIOUS where it was."""
        holder = self.holder(label)
        if holder == version_id:
            return
        self._check_room({label})
        self.versions[version_id]["version_stages"].append(label)
        if holder is None:
            return
        self.versions[holder]["version_stages"].remove(label)
        if label == CURRENT:
            self.detach(PREVIOUS)
            self.versions[holder]["version_stages"].append(PREVIOUS)

    def detach(self, label: str) -> None:
        """Takes `label` off whatever version has it."""
        holder = self.holder(label)
        if holder is not None:
            self.versions[holder]["version_stages"].remove(label)

    def _check_room(self, labels: set[str]) -> None:
        """AWS: so many labels on all versions together."""
        attached = {label for version in self.versions.values() for label in version["version_stages"]}
        after = attached | labels | ({PREVIOUS} if CURRENT in attached & labels else set())
        if len(after) > _MOST_LABELS:
            message = "You exceeded the maximum number of staging labels allowed on a secret."
            raise ApiError(400, "LimitExceededException", message)

    def touch(self) -> None:
        """After every change: the date, and deprecated versions, which AWS may drop at any time."""
        self.last_changed_date = now().timestamp()
        if SETTINGS.drop_unlabelled_versions:
            self.versions = {key: version for key, version in self.versions.items() if version["version_stages"]}

    def labelled_versions(self) -> list[Version]:
        """Those that AWS keeps."""
        return [version for version in self.versions.values() if version["version_stages"]]

    def tag(self, key: str) -> str | None:
        """The value of a tag."""
        return next((tag["Value"] for tag in self.tags or [] if tag["Key"] == key), None)

    def set_tags(self, tags: list[dict[str, str]]) -> None:
        """Adds tags or changes their values."""
        for tag in tags:
            if not is_valid_value(tag["Value"]) or not tag["Key"]:
                raise _invalid_parameter(f"Tag {tag['Key']!r} has a value with characters it may not have")
        merged = {tag["Key"]: tag for tag in [*(self.tags or []), *tags]}
        self.tags = list(merged.values())

    def summary(self, **more: Any) -> str:
        """What the operations that change a secret answer."""
        return json.dumps({"ARN": self.arn, "Name": self.name, **more})

    def _form_version_ids_to_stages(self) -> dict[str, list[str]]:
        # moto shows deprecated versions in DescribeSecret and ListSecrets.
        return {version["version_id"]: version["version_stages"] for version in self.labelled_versions()}


class SecretsManagerBackend(moto_secretsmanager.SecretsManagerBackend):
    """One region of one account."""

    def find(self, secret_id: str) -> Secret:
        """By name, ARN or ARN without its suffix. ResourceNotFoundException otherwise."""
        arn = _ARN.fullmatch(secret_id)
        name = arn.group(1) if arn else secret_id
        for candidate in (name, name[:-_ARN_SUFFIX_LENGTH]) if arn else (name,):
            secret = dict.get(self.secrets, candidate)
            if secret is not None and secret_id in (name, secret.arn, secret.arn[:-_ARN_SUFFIX_LENGTH]):
                return secret
        raise ApiError(400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret.")

    def find_usable(self, secret_id: str) -> Secret:
        """`find`, and not marked as deleted."""
        secret = self.find(secret_id)
        if secret.is_deleted():
            raise _invalid_request("You can't perform this operation on the secret because it was marked for deletion.")
        return secret

    def add(self, name: str, description: str | None, tags: list[dict[str, str]], kms_key_id: str | None) -> Secret:
        """A secret without versions. The name must be free and legal."""
        if not _NAME.fullmatch(name):
            raise ApiError(
                400,
                "ValidationException",
                "Invalid name. Must be a valid name containing alphanumeric characters, or any of: -/_+=.@",
            )
        created = now().timestamp()
        secret = Secret(
            account_id=self.account_id,
            region_name=self.region_name,
            secret_id=name,
            secret_version={},
            version_id="",
            description=description,
            kms_key_id=kms_key_id,
            created_date=created,
            last_changed_date=created,
        )
        secret.set_tags(tags)
        self.secrets[name] = secret
        return secret


class SecretsManagerResponse(moto_responses.SecretsManagerResponse):
    """Every operation that touches versions, and those of which moto gets the errors wrong (they are all 400)."""

    def _get_param(self, param_name: str, if_none: Any = None) -> Any:
        # moto also looks for form fields in the body, and finds some in a value with `&` and `=`.
        value = json.loads(self.body).get(param_name)
        return if_none if value is None else value

    def create_secret(self) -> str:
        name, value = self._get_param("Name"), self._value()
        token = self._token()
        existing = dict.get(self.backend.secrets, name)
        if existing is not None:
            if existing.is_deleted():
                raise _invalid_request(
                    "You can't create this secret because a secret with this name is already scheduled for deletion."
                )
            if value and _is_repetition(existing, token, value):
                return existing.summary(VersionId=token)
            raise ApiError(
                400, "ResourceExistsException", f"The operation failed because the secret {name} already exists."
            )
        secret = self.backend.add(
            name, self._get_param("Description"), self._get_param("Tags", []), self._get_param("KmsKeyId")
        )
        if not value:
            return secret.summary()
        secret.add_version(token, value, [CURRENT])
        return secret.summary(VersionId=token)

    def put_secret_value(self) -> str:
        secret, value, token = self._secret(), self._value(), self._token()
        labels = self._get_param("VersionStages", [CURRENT])
        if not value:
            raise _invalid_request("You must provide either SecretString or SecretBinary.")
        if not 1 <= len(labels) <= _MOST_LABELS:
            raise _invalid_parameter(f"VersionStages must have 1 to {_MOST_LABELS} labels")
        if not _is_repetition(secret, token, value):
            secret.add_version(token, value, labels)
        return secret.summary(VersionId=token, VersionStages=secret.versions[token]["version_stages"])

    def get_secret_value(self) -> str:
        secret = self._secret()
        version_id, label = self._get_param("VersionId"), self._get_param("VersionStage")
        wanted = version_id or secret.holder(label or CURRENT)
        version = secret.versions.get(wanted)
        if version is None:
            named = f"VersionId: {version_id}" if version_id else f"staging label: {label or CURRENT}"
            raise ApiError(
                400, "ResourceNotFoundException", f"Secrets Manager can't find the specified secret value for {named}"
            )
        if label and label not in version["version_stages"]:
            raise _invalid_request("You provided a VersionStage that is not associated to the provided VersionId.")
        return secret.summary(
            VersionId=wanted,
            VersionStages=version["version_stages"],
            CreatedDate=version["createdate"],
            **_in_wire_names(version),
        )

    def update_secret_version_stage(self) -> str:
        # AWS: the label's holder must be named when it is attached elsewhere. All is checked before anything moves.
        secret, label = self._secret(), self._get_param("VersionStage")
        move_to, remove_from = self._get_param("MoveToVersionId"), self._get_param("RemoveFromVersionId")
        holder = secret.holder(label)
        for version_id in (move_to, remove_from):
            if version_id and version_id not in secret.versions:
                raise ApiError(
                    400, "ResourceNotFoundException", f"Secrets Manager can't find the version {version_id}."
                )
        if remove_from and remove_from != holder:
            raise _invalid_parameter(f"Staging label {label} is not attached to version {remove_from}.")
        if not move_to and not remove_from:
            raise _invalid_parameter("You must specify MoveToVersionId or RemoveFromVersionId.")
        if move_to and holder not in (None, move_to) and not remove_from:
            raise _invalid_parameter(
                f"The parameter RemoveFromVersionId can't be empty. Staging label {label} is currently attached to "
                f"version {holder}, so you must explicitly reference that version in RemoveFromVersionId."
            )
        if label == CURRENT and not move_to:
            raise _invalid_parameter("You can move AWSCURRENT to another version only; you can't remove it.")
        if move_to:
            secret.attach(label, move_to)
        else:
            secret.detach(label)
        secret.touch()
        return secret.summary()

    def describe_secret(self) -> str:
        return json.dumps(_shown(self.backend.find(self._get_param("SecretId")), but="SecretVersionsToStages"))

    def list_secrets(self) -> str:
        filters, most = self._get_param("Filters", []), self._get_param("MaxResults", _MOST_RESULTS)
        moto_responses._validate_filters(filters)
        if not 1 <= most <= _MOST_RESULTS:
            raise _invalid_parameter(f"MaxResults must be 1 to {_MOST_RESULTS}")
        token = self._get_param("NextToken", "0")
        if not token.isdecimal():
            raise ApiError(400, "InvalidNextTokenException", "The NextToken value is invalid.")
        start, end = int(token), int(token) + most
        found = [
            secret
            for secret in self.backend.secrets.values()
            if (self._get_param("IncludePlannedDeletion") or not secret.is_deleted())
            and moto_secretsmanager._matches(secret, filters)
        ]
        return json.dumps(
            {
                "SecretList": [_shown(secret, but="VersionIdsToStages") for secret in found[start:end]],
                **({"NextToken": str(end)} if end < len(found) else {}),
            }
        )

    def tag_resource(self) -> str:
        secret = self._secret()
        secret.set_tags(self._get_param("Tags", []))
        secret.touch()
        return "{}"

    def delete_secret(self) -> str:
        force = self._get_param("ForceDeleteWithoutRecovery")
        if not force:
            self._secret()
        return super().delete_secret()

    def restore_secret(self) -> str:
        secret = self.backend.find(self._get_param("SecretId"))
        secret.restore()
        secret.touch()
        return secret.summary()

    def _not_modelled(self) -> str:
        raise NotImplementedError("what the function does not ask of Secrets Manager")

    rotate_secret = cancel_rotate_secret = batch_get_secret_value = _not_modelled
    update_secret = list_secret_version_ids = untag_resource = _not_modelled
    replicate_secret_to_regions = remove_regions_from_replication = _not_modelled

    def _secret(self) -> Secret:
        return self.backend.find_usable(self._get_param("SecretId"))

    def _token(self) -> str:
        token = self._get_param("ClientRequestToken") or str(uuid.uuid4())
        if not 32 <= len(token) <= 64:
            raise _invalid_parameter("ClientRequestToken must be 32-64 characters long.")
        return token

    def _value(self) -> dict[str, str]:
        """The value sent, in moto's names; empty when there is none."""
        sent = {
            name: self._get_param(parameter)
            for name, parameter in _VALUE_FIELDS.items()
            if self._get_param(parameter) is not None
        }
        if len(sent) > 1:
            raise _invalid_parameter("You can't specify both a binary secret value and a string secret value.")
        if any(not 1 <= len(value.encode()) <= _MAX_VALUE_BYTES for value in sent.values()):
            raise _invalid_parameter(f"A secret value must have 1 to {_MAX_VALUE_BYTES} bytes.")
        return sent


def install() -> None:
    """Makes moto build mended backends. Before any account exists."""
    moto_secretsmanager.secretsmanager_backends.backend = SecretsManagerBackend


_VALUE_FIELDS = {"secret_string": "SecretString", "secret_binary": "SecretBinary"}


def _in_wire_names(version: Version) -> dict[str, str]:
    return {wire: version[ours] for ours, wire in _VALUE_FIELDS.items() if ours in version}


def _shown(secret: Secret, *, but: str) -> dict[str, Any]:
    """A secret as DescribeSecret and ListSecrets show it, which name the labels differently."""
    return {key: value for key, value in secret.to_dict().items() if value is not None and key != but}


def _is_repetition(secret: Secret, token: str, value: dict[str, str]) -> bool:
    """AWS: a version never changes. The same token with the same value is the same request, sent again."""
    version = secret.versions.get(token)
    if version is None:
        return False
    if any(version.get(field) != value.get(field) for field in _VALUE_FIELDS):
        raise ApiError(
            400,
            "ResourceExistsException",
            f"You can't use ClientRequestToken {token} because that value is already in use for a version of secret "
            f"{secret.arn}.",
        )
    return True


def _invalid_parameter(message: str) -> ApiError:
    return ApiError(400, "InvalidParameterException", message)


def _invalid_request(message: str) -> ApiError:
    return ApiError(400, "InvalidRequestException", message)
