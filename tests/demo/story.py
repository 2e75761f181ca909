#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the demo tells at its end, from what the agent answered and what the users counted.

story.py rollbacks DIR   ids of the decisions to take a version back, oldest first
story.py times DIR       when everything happened; ends 1 when the story was not the one meant
"""
import json
import os
import sys
from datetime import datetime


def load(name):
    with open(os.path.join(sys.argv[2], name), encoding="utf-8") as file:
        return json.load(file)


def seconds(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def decisions():
    return sorted(load("decisions.json")["items"], key=lambda d: d["at"])


def rollbacks():
    return [d for d in decisions() if d["verdict"] == "rollback"]


class Line:
    """Seconds since the image was set, and what happened."""

    def __init__(self, version):
        with open(os.path.join(sys.argv[2], f"began-{version}"), encoding="utf-8") as file:
            self.began = float(file.read())

    def tell(self, at, words):
        print(f"  {at - self.began:6.1f} s  {words}")


def tell_release(release, version, users):
    line = Line(version)
    outcome = release["outcome"].replace("_", " ")
    print(f"shop/checkout:{version}, {outcome}")
    rows = [(line.began, "kubectl set image")]
    for d in decisions():
        if d.get("release") == release["id"]:
            rows.append((seconds(d["at"]), d["words"].partition(" ")[2]))
    if users["failed"]:
        rows.append((users["firstFailure"], "the first user is failed"))
        rows.append((users["lastFailure"], "the last user is failed"))
    for at, words in sorted(rows):
        line.tell(at, words)
    print(f"           users of it: {users['requests']} requests, {users['failed']} failed")
    return outcome


def times():
    stats = load("users.json")
    asked = sum(v["requests"] for v in stats["versions"].values())
    releases = sorted(load("releases.json")["items"], key=lambda r: r["startedAt"])
    if len(releases) != 3:
        sys.exit(f"demo: there were {len(releases)} releases, not 3")
    outcomes = []
    for version, release in zip("234", releases):
        outcomes.append(tell_release(release, version, stats["versions"][version]))
    failed = sum(v["failed"] for v in stats["versions"].values())
    print(f"all users: {asked} requests over HTTP, {failed} failed ({failed / asked:.2%}),"
          f" {stats['unreachable']} met a pod that had just gone")
    weights = [r["weight"] for r in load("route.json")["spec"]["http"][0]["route"]]
    print(f"the route now: stable {weights[0]} %, candidate {weights[1]} %")
    kinds = [r.get("triggerKind") for r in releases]
    if outcomes != ["promoted", "rolled back", "rolled back"] or kinds[1:] != ["rule", "alert"]:
        sys.exit(f"demo: it should have gone otherwise: {outcomes}, taken back by {kinds[1:]}")
    if weights != [100, 0]:
        sys.exit("demo: traffic is not where it should be")


if __name__ == "__main__":
    if sys.argv[1] == "rollbacks":
        print("\n".join(d["id"] for d in rollbacks()))
    else:
        times()
