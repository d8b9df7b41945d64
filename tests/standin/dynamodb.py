"""DynamoDB, mended where the function's ledger relies on it: UpdateItem, BatchGetItem, Query; and the ledger itself.

Expressions: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html
Other operations are moto's, as they are.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer
from moto.core.responses import ActionResult
from moto.dynamodb import comparisons
from moto.dynamodb.models import DynamoDBBackend, Table, dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.parsing.reserved_keywords import ReservedKeywords
from moto.dynamodb.responses import DynamoHandler

from .wire import ApiError, Call

# The ledger as infra/template.yaml makes it; tests/infra/test_deployed.py holds the two side by side.
KEY_SCHEMA = [{"AttributeName": "id", "KeyType": "HASH"}]
ATTRIBUTES = [{"AttributeName": "id", "AttributeType": "S"}, {"AttributeName": "open", "AttributeType": "S"}]
INDEXES = [
    {
        "IndexName": "open",
        "KeySchema": [{"AttributeName": "open", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
]
TTL = "expires"
LEASE = "lease_until"

_MOST_KEYS = 100
_PLACEHOLDER = re.compile(r"[#:]\w+")
_BARE_NAME = re.compile(r"(?<![#:\w])[A-Za-z_]\w*")
_OPERATORS = {"AND", "BETWEEN"}
# How names of dates end; they are milliseconds since 1970, TTL is seconds.
_DATES = ("_at", "_until", "_of")
_ITEM_OF_A_DAY = re.compile(r"((?:message|note)#.*)#(\d{4}-\d\d-\d\d)")
_ITEM_OF_A_USER = re.compile(r"(?:user|request#.*)#(\d{12})#([^#]+)")


class DynamoDbResponse(DynamoHandler):
    """The operations that the function uses."""

    def update_item(self) -> ActionResult:
        # moto takes keys and numbers that are none, keeps half of an update that fails, and wants an expression.
        table, key = self.dynamodb_backend.get_table(self.body["TableName"]), self.body["Key"]
        _check_key(table, key)
        if self.body.get("ExpressionAttributeNames") == {}:
            raise _invalid("ExpressionAttributeNames must not be empty")
        table._validate_item_types(self.body.get("ExpressionAttributeValues") or {})
        if "UpdateExpression" not in self.body:
            self.body.setdefault("AttributeUpdates", {})
        hash_key = DynamoType(key[table.hash_key_attr])
        before = copy.deepcopy(table.get_item(hash_key))
        try:
            answer = super().update_item()
            _check_index_keys(table, table.get_item(hash_key).attrs)
        except Exception:
            table.delete_item(hash_key, None)
            if before is not None:
                table.items[hash_key] = before
            raise
        return answer

    def batch_get_item(self) -> ActionResult:
        for name, request in self.body["RequestItems"].items():
            if not 1 <= len(request["Keys"]) <= _MOST_KEYS:
                raise _invalid(f"1 to {_MOST_KEYS} keys can be asked for")
            for key in request["Keys"]:
                _check_key(self.dynamodb_backend.get_table(name), key)
        answer = super().batch_get_item()
        for items in answer.result["Responses"].values():
            # AWS: in no particular order. So not in that of the request, which nobody may rely on.
            items.reverse()
        return answer

    def query(self) -> ActionResult:
        # moto looks neither for reserved words in key conditions nor for values that are not used.
        condition = self.body.get("KeyConditionExpression") or ""
        for name in _BARE_NAME.findall(condition):
            if name.upper() in ReservedKeywords.get_reserved_keywords() and name.upper() not in _OPERATORS:
                raise _invalid(f"Attribute name is a reserved keyword; reserved keyword: {name}")
        expressions = (condition, *(self.body.get(e) or "" for e in ("FilterExpression", "ProjectionExpression")))
        used = {found for expression in expressions for found in _PLACEHOLDER.findall(expression)}
        for kind in ("Names", "Values"):
            unused = (self.body.get(f"ExpressionAttribute{kind}") or {}).keys() - used
            if unused:
                raise _invalid(f"Value provided in ExpressionAttribute{kind} unused in expressions: {sorted(unused)}")
        return super().query()


def _check_key(table: Table, key: dict[str, dict[str, Any]]) -> None:
    """AWS: the key is its attributes, all of them and no other, of the right type and not empty."""
    types = {a["AttributeName"]: a["AttributeType"] for a in table.attr if a["AttributeName"] in table.table_key_attrs}
    if {name: next(iter(value)) for name, value in key.items()} != types:
        raise _invalid("The provided key element does not match the schema")
    _check_not_empty(key)


def _check_index_keys(table: Table, attributes: dict[str, DynamoType]) -> None:
    """AWS: an index's key has the right type, or is absent and the item is not in the index."""
    types = {a["AttributeName"]: a["AttributeType"] for a in table.attr}
    for name in types.keys() & attributes.keys():
        if attributes[name].type != types[name]:
            raise _invalid(
                f"Type mismatch for Index Key {name} Expected: {types[name]} Actual: {attributes[name].type}"
            )
        _check_not_empty({name: attributes[name].to_json()})


def _check_not_empty(attributes: dict[str, dict[str, Any]]) -> None:
    for name, value in attributes.items():
        if "" in value.values():
            raise _invalid(f"The AttributeValue for a key attribute cannot contain an empty string value. Key: {name}")


def _typed(comparator: type[comparisons.Op]) -> type[comparisons.Op]:
    """AWS: values of different types are not equal and in no order; nor is what is not there.

    moto compares them as Python does, which may be an error.
    """

    class Typed(comparator):
        def expr(self, item: Any) -> bool:
            # `size` is the one function that can be compared, and a number.
            types = [side.get_type(item) if hasattr(side, "get_type") else "N" for side in (self.lhs, self.rhs)]
            return super().expr(item) if types[0] and types[0] == types[1] else self.OP == "<>"

    return Typed


def install() -> None:
    """Makes moto compare as AWS does."""
    comparisons.COMPARATOR_CLASS.update({op: _typed(c) for op, c in comparisons.COMPARATOR_CLASS.items()})


def create_ledger(backend: DynamoDBBackend, name: str) -> Table:
    """The ledger's table."""
    table = backend.create_table(
        name,
        schema=KEY_SCHEMA,
        throughput=None,
        attr=ATTRIBUTES,
        global_indexes=INDEXES,
        indexes=None,
        streams=None,
        billing_mode="PAY_PER_REQUEST",
        sse_specification=None,
        tags=[],
        deletion_protection_enabled=False,
        warm_throughput=None,
    )
    table.ttl = {"TimeToLiveStatus": "ENABLED", "AttributeName": TTL}
    return table


def items(account_id: str | None) -> list[dict[str, Any]]:
    """All items of an account's tables, or of everybody's, as plain JSON."""
    plain = TypeDeserializer().deserialize
    return [
        {name: _json(plain(value)) for name, value in item.to_json()["Attributes"].items()}
        for table in _tables(account_id)
        for item in table.all_items()
    ]


def expire_leases(account_id: str | None) -> int:
    """Makes every lease that is held an old one: how many."""
    held = [item for table in _tables(account_id) for item in table.all_items() if LEASE in item.attrs]
    for item in held:
        item.attrs[LEASE] = DynamoType({"N": "0"})
    return len(held)


def age(by: timedelta) -> None:
    """Makes every date in the ledgers so much earlier, those in ids among them."""
    for table in _tables(None):
        for item in table.all_items():
            for name, value in item.attrs.items():
                if value.type == "N" and (name == TTL or name.endswith(_DATES)):
                    unit = timedelta(seconds=1) if name == TTL else timedelta(milliseconds=1)
                    item.attrs[name] = DynamoType({"N": str(int(value.value) - by // unit)})
            dated = _ITEM_OF_A_DAY.fullmatch(item.attrs["id"].value)
            if dated:
                table.delete_item(item.attrs["id"], None)
                day = date.fromisoformat(dated[2]) - by
                table.put_item({**item.to_json()["Attributes"], "id": {"S": f"{dated[1]}#{day}"}})


def owner(call: Call) -> tuple[str, str] | None:
    """Account and name, in lower case, of the user whose items a call is about; `None` if of none or of several."""
    requests = (call.params.get("RequestItems") or {}).values()
    keys = [call.params["Key"]] if "Key" in call.params else [key for request in requests for key in request["Keys"]]
    ids = {key.get("id", {}).get("S", "") for key in keys}
    found = {matched.groups() for matched in map(_ITEM_OF_A_USER.fullmatch, ids) if matched}
    return found.pop() if len(found) == 1 and all(map(_ITEM_OF_A_USER.fullmatch, ids)) else None


def _tables(account_id: str | None) -> Iterable[Table]:
    for owning, _, backend in dynamodb_backends.iter_backends():
        if account_id in (None, owning):
            yield from backend.tables.values()


def _json(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {key: _json(item) for key, item in value.items()}
    if isinstance(value, list | set):
        return [_json(item) for item in (sorted(value) if isinstance(value, set) else value)]
    return value


def _invalid(message: str) -> ApiError:
    return ApiError(400, "ValidationException", f"One or more parameter values were invalid: {message}")
