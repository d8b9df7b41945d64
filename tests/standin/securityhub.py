"""Security Hub, mended: moto lacks the updates and all filters, and takes whatever is imported.

https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchUpdateFindings.html and …V2.html
https://docs.aws.amazon.com/securityhub/latest/userguide/finding-update-batchimportfindings.html
https://docs.aws.amazon.com/securityhub/latest/userguide/findings-workflow-status.html
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from moto.securityhub import models as moto_securityhub
from moto.securityhub.responses import SecurityHubResponse as MotoSecurityHubResponse

from .journal import JOURNAL
from .settings import SETTINGS, now
from .wire import ApiError

_MOST_FINDINGS = 100
_MOST_MEMBERS = 50
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
_REQUIRED = (
    "SchemaVersion",
    "Id",
    "ProductArn",
    "GeneratorId",
    "AwsAccountId",
    "CreatedAt",
    "UpdatedAt",
    "Title",
    "Description",
)
_LONGEST = {"Id": 512, "GeneratorId": 512, "Title": 256, "Description": 1024}
_MOST_RESOURCES = 32
_MOST_PRODUCT_FIELDS = 50
# What a provider cannot change once a finding is there.
_CUSTOMERS = ("Note", "UserDefinedFields", "VerificationState", "Workflow", "WorkflowState")
# What a provider can change until a customer has done so.
_SHARED = ("Severity", "Types", "Confidence", "Criticality", "RelatedFindings")
_NOT_PASSED = ("FAILED", "WARNING", "NOT_AVAILABLE")
_FILTERED: dict[str, Callable[[dict[str, Any]], str | None]] = {
    "Id": lambda finding: finding["Id"],
    "ProductArn": lambda finding: finding["ProductArn"],
    "GeneratorId": lambda finding: finding.get("GeneratorId"),
    "AwsAccountId": lambda finding: finding.get("AwsAccountId"),
    "RecordState": lambda finding: finding.get("RecordState"),
    "ComplianceStatus": lambda finding: finding.get("Compliance", {}).get("Status"),
    "WorkflowStatus": lambda finding: finding.get("Workflow", {}).get("Status"),
}


class SecurityHubBackend(moto_securityhub.SecurityHubBackend):
    """One region's hub. ASFF findings are where moto keeps them; OCSF ones, which it does not know, beside them."""

    def __init__(self, region_name: str, account_id: str):
        super().__init__(region_name, account_id)
        self.ocsf_findings: list[dict[str, Any]] = []
        self.enabled = True
        # By Id and ProductArn: what customers have set, of that which they share with providers.
        self.set_by_customers: dict[tuple[str, str], set[str]] = {}

    @property
    def default_product(self) -> str:
        """The product of what the account's own programs find."""
        hub = f"arn:{self.partition}:securityhub:{self.region_name}:{self.account_id}"
        return f"{hub}:product/{self.account_id}/default"

    def import_finding(self, sent: dict[str, Any]) -> None:
        """Adds a finding, or brings the one with its Id up to date. ValueError if AWS would refuse it."""
        _check_finding(sent, self.account_id, self.default_product)
        finding = self.asff(sent)
        if finding is None:
            finding = self._first(sent)
            self.findings.append(moto_securityhub.Finding(sent["Id"], finding))
        elif _moment(sent["UpdatedAt"]) <= _moment(finding["UpdatedAt"]):
            return
        else:
            self._update(finding, sent)
        finding["ProcessedAt"] = _now()
        JOURNAL.record_finding_event(finding)

    def _first(self, sent: dict[str, Any]) -> dict[str, Any]:
        workflow = sent.get("Workflow") or {"Status": "NEW"}
        return {
            "ProductName": "Default",
            "CompanyName": "Personal",
            "Region": self.region_name,
            "RecordState": "ACTIVE",
            "WorkflowState": "NEW",
            **sent,
            "Workflow": workflow,
            **self._added(sent),
        }

    def _update(self, finding: dict[str, Any], sent: dict[str, Any]) -> None:
        before = copy.deepcopy(finding)
        kept = {*_CUSTOMERS, *self.set_by_customers.get((sent["Id"], sent["ProductArn"]), ())}
        finding.update({name: value for name, value in sent.items() if name not in kept}, **self._added(sent))
        is_active_again = before.get("RecordState") == "ARCHIVED" and finding.get("RecordState") == "ACTIVE"
        passed, passes = (f.get("Compliance", {}).get("Status") for f in (before, finding))
        fails_again = passed == "PASSED" and passes in _NOT_PASSED
        if (is_active_again or fails_again) and finding["Workflow"]["Status"] in ("NOTIFIED", "RESOLVED"):
            finding["Workflow"] = {"Status": "NEW"}

    @staticmethod
    def _added(sent: dict[str, Any]) -> dict[str, Any]:
        """What Security Hub writes itself: where the finding is from, and what its provider says of it."""
        provided = {name: sent[name] for name in _SHARED if name in sent}
        names = {
            "aws/securityhub/ProductName": "Default",
            "aws/securityhub/CompanyName": "Personal",
            "aws/securityhub/FindingId": f"{sent['ProductArn']}/{sent['Id']}",
        }
        return {
            "ProductFields": {**sent.get("ProductFields", {}), **names},
            "FindingProviderFields": {**provided, **sent.get("FindingProviderFields", {})},
        }

    def asff(self, identifier: dict[str, str]) -> dict[str, Any] | None:
        """The finding with this Id and ProductArn."""
        wanted = (identifier["Id"], identifier["ProductArn"])
        return next((f.data for f in self.findings if (f.data["Id"], f.data["ProductArn"]) == wanted), None)

    def ocsf(self, identifier: dict[str, str] | str) -> dict[str, Any] | None:
        """The finding with this metadata uid, or with these three uids."""
        return next((f for f in self.ocsf_findings if identifier in _ocsf_identifiers(f)), None)


class SecurityHubResponse(MotoSecurityHubResponse):
    """Imports, updates, lists. Updates of findings that are not known are taken, unless the settings say otherwise."""

    def batch_import_findings(self) -> str:
        self._check_enabled()
        findings = json.loads(self.body).get("Findings") or []
        if not 1 <= len(findings) <= _MOST_FINDINGS:
            raise _invalid_input(f"Findings must have 1 to {_MOST_FINDINGS} elements")
        failed = []
        for finding in findings:
            try:
                self.securityhub_backend.import_finding(finding)
            except ValueError as error:
                refused = {"Id": finding.get("Id", ""), "ErrorCode": "InvalidInput", "ErrorMessage": str(error)}
                failed.append(refused)
        counts = {"FailedCount": len(failed), "SuccessCount": len(findings) - len(failed)}
        return json.dumps({**counts, "FailedFindings": failed})

    def get_findings(self) -> str:
        # moto knows no filters.
        self._check_enabled()
        request = json.loads(self.body or "{}")
        filters = request.get("Filters") or {}
        found = [f.data for f in self.securityhub_backend.findings if _passes(f.data, filters)]
        page, token = _page(found, request.get("MaxResults"), request.get("NextToken"), _MOST_FINDINGS)
        return json.dumps({"Findings": page, **token})

    def list_members(self) -> str:
        # moto takes "false" for true.
        self._check_enabled()
        only_associated = self._get_param("OnlyAssociated") not in ("false", False)
        members = self.securityhub_backend.members.values()
        shown = [m for m in members if m["MemberStatus"] == "ENABLED" or not only_associated]
        page, token = _page(shown, self._get_param("MaxResults"), self._get_param("NextToken"), _MOST_MEMBERS)
        return json.dumps({"Members": page, **token})

    def batch_update_findings(self) -> str:
        self._check_enabled()
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
        for identifier in processed:
            set_by_customers = self.securityhub_backend.set_by_customers
            key = (identifier["Id"], identifier["ProductArn"])
            set_by_customers.setdefault(key, set()).update(changes.keys() & set(_SHARED))
            if finding := self.securityhub_backend.asff(identifier):
                JOURNAL.record_finding_event(finding)
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

    def _check_enabled(self) -> None:
        if not self.securityhub_backend.enabled:
            raise ApiError(
                401, "InvalidAccessException", f"Account {self.current_account} is not subscribed to AWS Security Hub"
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


def _check_finding(finding: dict[str, Any], account_id: str, product_arn: str) -> None:
    if not _filled(finding, *_REQUIRED):
        raise ValueError(f"a finding needs {', '.join(_REQUIRED)}")
    if finding["AwsAccountId"] != account_id:
        raise ValueError("AwsAccountId must be the account that imports")
    if finding["ProductArn"] != product_arn:
        raise ValueError(f"ProductArn must be {product_arn}")
    for name, longest in _LONGEST.items():
        if len(finding[name]) > longest:
            raise ValueError(f"{name} may have {longest} characters")
    for name in ("CreatedAt", "UpdatedAt"):
        _moment(finding[name])
    if not 1 <= len(finding.get("Resources") or []) <= _MOST_RESOURCES:
        raise ValueError(f"Resources must have 1 to {_MOST_RESOURCES} elements")
    if not all(_filled(resource, "Type", "Id") for resource in finding["Resources"]):
        raise ValueError("a resource needs Type and Id")
    if not (finding.get("Severity") or finding.get("FindingProviderFields", {}).get("Severity")):
        raise ValueError("a finding needs a Severity")
    if len(finding.get("ProductFields", {})) > _MOST_PRODUCT_FIELDS:
        raise ValueError(f"ProductFields may have {_MOST_PRODUCT_FIELDS} elements")
    if any(name.startswith("aws/") for name in finding.get("ProductFields", {})):
        raise ValueError("names in ProductFields that start with aws/ are AWS's")


def _passes(finding: dict[str, Any], filters: dict[str, Any]) -> bool:
    """AWS: of one attribute's values any, and all attributes."""
    return all(_is_one_of(finding, name, alternatives) for name, alternatives in filters.items())


def _is_one_of(finding: dict[str, Any], name: str, alternatives: list[dict[str, str]]) -> bool:
    if name not in _FILTERED or any(alternative["Comparison"] != "EQUALS" for alternative in alternatives):
        raise NotImplementedError(f"the filter {name} of GetFindings: {alternatives}")
    return _FILTERED[name](finding) in [alternative["Value"] for alternative in alternatives]


def _page(
    found: list[Any], most: str | int | None, token: str | None, default: int
) -> tuple[list[Any], dict[str, str]]:
    size, start = int(most or default), token or "0"
    if not 1 <= size <= default:
        raise _invalid_input(f"MaxResults must be 1 to {default}")
    if not start.isdecimal():
        raise _invalid_input("Invalid parameter NextToken")
    end = int(start) + size
    return found[int(start) : end], {"NextToken": str(end)} if end < len(found) else {}


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return moment


def _now() -> str:
    return now().isoformat().replace("+00:00", "Z")


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
