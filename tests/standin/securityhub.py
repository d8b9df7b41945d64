"""Security Hub, mended: moto lacks BatchUpdateFindings and BatchUpdateFindingsV2.

https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchUpdateFindings.html and …V2.html
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from moto.securityhub import models as moto_securityhub
from moto.securityhub.responses import SecurityHubResponse as MotoSecurityHubResponse

from .journal import JOURNAL
from .settings import SETTINGS
from .wire import ApiError

_MOST_FINDINGS = 100
_LONGEST_TEXT = 512
_WORKFLOW_STATES = ("NEW", "NOTIFIED", "RESOLVED", "SUPPRESSED")
_OCSF_STATES = (0, 1, 2, 3, 4, 5, 6, 99)
_ASFF_FIELDS = (
    "Note",
    "Severity",
    "VerificationState",
    "Confidence",
    "Criticality",
    "Types",
    "UserDefinedFields",
    "Workflow",
    "RelatedFindings",
)


class SecurityHubBackend(moto_securityhub.SecurityHubBackend):
    """One region's hub. ASFF findings are where moto keeps them; OCSF ones, which it does not know, beside them."""

    def __init__(self, region_name: str, account_id: str):
        super().__init__(region_name, account_id)
        self.ocsf_findings: list[dict[str, Any]] = []

    def asff(self, identifier: dict[str, str]) -> dict[str, Any] | None:
        """The finding with this Id and ProductArn."""
        wanted = (identifier["Id"], identifier["ProductArn"])
        return next((f.data for f in self.findings if (f.data["Id"], f.data["ProductArn"]) == wanted), None)

    def ocsf(self, identifier: dict[str, str] | str) -> dict[str, Any] | None:
        """The finding with this metadata uid, or with these three uids."""
        return next((f for f in self.ocsf_findings if identifier in _ocsf_identifiers(f)), None)


class SecurityHubResponse(MotoSecurityHubResponse):
    """The two updates. Findings that are not known are taken, unless the settings say otherwise."""

    def batch_update_findings(self) -> str:
        request = json.loads(self.body)
        identifiers = request.get("FindingIdentifiers") or []
        if not 1 <= len(identifiers) <= _MOST_FINDINGS:
            raise _invalid_input(f"FindingIdentifiers must have 1 to {_MOST_FINDINGS} elements")
        if not all(_filled(i, "Id", "ProductArn") for i in identifiers):
            raise _invalid_input("a FindingIdentifier needs Id and ProductArn")
        note = request.get("Note")
        if note is not None and not (_filled(note, "Text", "UpdatedBy") and len(note["Text"]) <= _LONGEST_TEXT):
            raise _invalid_input(f"a Note needs a Text of at most {_LONGEST_TEXT} characters and UpdatedBy")
        workflow = request.get("Workflow")
        if workflow is not None and workflow.get("Status") not in _WORKFLOW_STATES:
            raise _invalid_input(f"Workflow.Status must be one of {', '.join(_WORKFLOW_STATES)}")

        changes = {name: request[name] for name in _ASFF_FIELDS if name in request}
        processed, unprocessed = self._apply(identifiers, self.securityhub_backend.asff, changes)
        JOURNAL.record_finding_update(
            {
                "api": "BatchUpdateFindings",
                "account_id": self.current_account,
                "region": self.region,
                "processed": processed,
                "unprocessed": unprocessed,
                "changes": changes,
            }
        )
        return json.dumps(
            {
                "ProcessedFindings": processed,
                "UnprocessedFindings": [
                    {"FindingIdentifier": i, "ErrorCode": "FindingNotFound", "ErrorMessage": "Finding Not Found"}
                    for i in unprocessed
                ],
            }
        )

    def batch_update_findings_v2(self) -> str:
        request = json.loads(self.body)
        uids, identifiers = request.get("MetadataUids") or [], request.get("FindingIdentifiers") or []
        if bool(uids) == bool(identifiers):
            raise _validation("either MetadataUids or FindingIdentifiers must be given, not both")
        if len(uids) + len(identifiers) > _MOST_FINDINGS:
            raise _validation(f"at most {_MOST_FINDINGS} findings")
        if not all(_filled(i, "CloudAccountUid", "FindingInfoUid", "MetadataProductUid") for i in identifiers):
            raise _validation("a FindingIdentifier needs CloudAccountUid, FindingInfoUid and MetadataProductUid")
        comment = request.get("Comment")
        if comment is not None and not 1 <= len(comment.strip()) <= len(comment) <= _LONGEST_TEXT:
            raise _validation(f"Comment must have 1 to {_LONGEST_TEXT} characters")
        if "StatusId" in request and request["StatusId"] not in _OCSF_STATES:
            raise _validation(f"StatusId must be one of {_OCSF_STATES}")

        fields = {"Comment": "comment", "SeverityId": "severity_id", "StatusId": "status_id"}
        changes = {ours: request[theirs] for theirs, ours in fields.items() if theirs in request}
        processed, unprocessed = self._apply(uids or identifiers, self.securityhub_backend.ocsf, changes)
        JOURNAL.record_finding_update(
            {
                "api": "BatchUpdateFindingsV2",
                "account_id": self.current_account,
                "region": self.region,
                "processed": processed,
                "unprocessed": unprocessed,
                "changes": changes,
            }
        )
        key = "MetadataUid" if uids else "FindingIdentifier"
        return json.dumps(
            {
                "ProcessedFindings": [{key: i} for i in processed],
                "UnprocessedFindings": [
                    {key: i, "ErrorCode": "ResourceNotFoundException", "ErrorMessage": "Finding not found"}
                    for i in unprocessed
                ],
            }
        )

    @staticmethod
    def _apply(
        identifiers: list[Any], find: Callable[[Any], dict[str, Any] | None], changes: dict[str, Any]
    ) -> tuple[list[Any], list[Any]]:
        processed, unprocessed = [], []
        for identifier in identifiers:
            finding = find(identifier)
            if finding is not None:
                finding.update(changes)
            taken = finding is not None or SETTINGS.accept_unknown_findings
            (processed if taken else unprocessed).append(identifier)
        return processed, unprocessed


def install() -> None:
    """Makes moto build mended backends. Before any account exists."""
    moto_securityhub.securityhub_backends.backend = SecurityHubBackend


def _ocsf_identifiers(finding: dict[str, Any]) -> list[Any]:
    metadata = finding["metadata"]
    return [
        metadata.get("uid"),
        {
            "CloudAccountUid": finding["cloud"]["account"]["uid"],
            "FindingInfoUid": finding["finding_info"]["uid"],
            "MetadataProductUid": metadata["product"]["uid"],
        },
    ]


def _filled(value: dict[str, Any], *names: str) -> bool:
    return all(isinstance(value.get(name), str) and value[name].strip() for name in names)


def _invalid_input(message: str) -> ApiError:
    return ApiError(400, "InvalidInputException", message)


def _validation(message: str) -> ApiError:
    return ApiError(400, "ValidationException", message)
