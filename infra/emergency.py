"""Stops everything at once, and starts it again.

`stop` lets no invocation begin, whatever asks for one. infra/RUNBOOK.md says what that leaves.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from deploy import SAMCONFIG, Account, Problem, Settings, plainly

# The outputs that name the functions, and the template's parameter for what `start` puts back; 0, or none, is none.
FUNCTIONS = {"FunctionName": "ReservedConcurrency", "AuditFunctionName": None}


def switch_mappings(client: Any, function: str, enabled: bool) -> None:
    """Lets a function take from its queue, or not."""
    pages = client.get_paginator("list_event_source_mappings").paginate(FunctionName=function)
    for mapping in [mapping for page in pages for mapping in page["EventSourceMappings"]]:
        try:
            client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=enabled)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceInUseException":
                raise
            raise Problem("a queue's event source mapping is still changing: run this again in a minute") from error


def stop(settings: Settings, _options: argparse.Namespace) -> None:
    """Lets no invocation begin any more."""
    account = Account(settings)
    account.show()
    outputs = account.deployed(settings.stack)
    client = account.client("lambda")
    for output in FUNCTIONS:
        client.put_function_concurrency(FunctionName=outputs[output], ReservedConcurrentExecutions=0)
    # Or a queue would count a failed delivery for each try, and give the job up after five.
    for output in FUNCTIONS:
        switch_mappings(client, outputs[output], False)
    print(
        "Stopped: nothing begins any more. What is under way comes to its end within 15 minutes. Queued jobs wait, for "
        "four days at most. Events go to the dead-letter queue, where they stay for 14 days.\n"
        "To go on: make start, then make redrive. More: infra/RUNBOOK.md"
    )


def start(settings: Settings, _options: argparse.Namespace) -> None:
    """Takes `stop` back."""
    account = Account(settings)
    account.show()
    outputs, parameters = account.deployed(settings.stack), account.parameters(settings.stack)
    client = account.client("lambda")
    for output, parameter in FUNCTIONS.items():
        reserved = int(parameters[parameter]) if parameter else 0
        if reserved:
            client.put_function_concurrency(FunctionName=outputs[output], ReservedConcurrentExecutions=reserved)
        else:
            client.delete_function_concurrency(FunctionName=outputs[output])
        switch_mappings(client, outputs[output], True)
    print("Started. What came meanwhile lies in the dead-letter queue: make redrive sends it again.")


def main(arguments: list[str] | None = None, samconfig: Path = SAMCONFIG) -> None:
    """Runs one command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for run in (stop, start):
        commands.add_parser(run.__name__, help=run.__doc__, description=run.__doc__).set_defaults(run=run)
    options = parser.parse_args(arguments)
    with plainly():
        options.run(Settings(samconfig), options)


if __name__ == "__main__":
    main()
