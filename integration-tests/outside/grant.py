"""Gives the rights that `causeway topics rights --json` lists, as an administrator would: with a Kafka client.

Reads the list from standard input. Exit code 0 when all were given and the brokers know of them.
"""

import argparse
import json
import sys
import time

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

KINDS = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactionalId": ResourceType.TRANSACTIONAL_ID,
}
PATTERNS = {"literal": ResourcePatternType.LITERAL, "prefix": ResourcePatternType.PREFIXED}
ALL = AclBindingFilter(
    ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY
)
ASK_SECONDS = 30.0
LOOK_AGAIN_SECONDS = 0.1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--brokers", required=True, help="bootstrap servers, comma separated")
    arguments = parser.parse_args()
    admin = AdminClient({"bootstrap.servers": arguments.brokers})
    bindings = [
        AclBinding(
            KINDS[right["resource"]["type"]],
            right["resource"]["name"],
            PATTERNS[right["resource"]["patternType"]],
            f"User:{service}",
            "*",
            AclOperation[operation.upper()],
            AclPermissionType.ALLOW,
        )
        for service, rights in json.load(sys.stdin).items()
        for right in rights
        for operation in right["operations"]
    ]
    for given in admin.create_acls(bindings, request_timeout=ASK_SECONDS).values():
        given.result()
    deadline = time.monotonic() + ASK_SECONDS
    while not set(bindings) <= set(admin.describe_acls(ALL, request_timeout=ASK_SECONDS).result()):
        if time.monotonic() > deadline:
            sys.exit("grant: the brokers do not know of all rights")
        time.sleep(LOOK_AGAIN_SECONDS)
    print(f"{len(bindings)} rights given")


if __name__ == "__main__":
    main()
