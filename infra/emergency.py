"""Stops everything at once, and starts it again.

`stop` lets no invocation begin, whatever asks for one. infra/RUNBOOK.md says what that leaves.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from deploy import SAMCONFIG, Account, Problem, Settings, plainly

# The template's parameter for what `start` puts back; 0 is none.
PARAMETER = "ReservedConcurrency"


def switch_mappings(client: Any, function: str, enabled: bool) -> None:
    """Lets the function take from its queue, or not."""
    pages = client.get_paginator("list_event_source_mappings").paginate(FunctionName=function)
    for mapping in [mapping for page in pages for mapping in page["EventSourceMappings"]]:
        try:
            client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=enabled)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceInUseException":
                raise
            raise Problem("the queue's event source mapping is still changing: run this again in a minute") from error


def stop(settings: Settings, _options: argparse.Namespace) -> None:
    """Lets no invocation begin any more."""
    account = Account(settings)
    account.show()
    function = account.deployed(settings.stack)["FunctionName"]
    client = account.client("lambda")
    client.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    # Or the queue would count a failed delivery for each try, and give the job up after five.
    switch_mappings(client, function, False)
    print(
        "Stopped: nothing begins any more. What is under way comes to its end within 15 minutes. Queued jobs wait, for "
        "four days at most. Events go to the dead-letter queue, where they stay for 14 days.\n"
        "To go on: make start, then make redrive. More: infra/RUNBOOK.md"
    )


def start(settings: Settings, _options: argparse.Namespace) -> None:
    """Takes `stop` back."""
    account = Account(settings)
    account.show()
    function = account.deployed(settings.stack)["FunctionName"]
    client = account.client("lambda")
    reserved = int(account.parameters(settings.stack)[PARAMETER])
    if reserved:
        client.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=reserved)
    else:
        client.delete_function_concurrency(FunctionName=function)
    switch_mappings(client, function, True)
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
