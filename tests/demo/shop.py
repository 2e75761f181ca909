#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The demo's sample service and its users, over real HTTP.

The cluster has pods but nothing that runs their containers. For each pod that is Ready this serves
HTTP on a loopback port of its own: /checkout, which the users call, and /metrics, which Prometheus
scrapes. Like a mesh, it sends each request to stable or candidate by the weights of the
VirtualService and the subsets of the DestinationRule, read from the cluster all the time.

Two versions of the shop have a bug. Version 3 fails for one coupon in three. Version 4 answers 200 to
every order, and loses one in four.
"""
import argparse
import http.client
import json
import os
import random
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0]


def confirmation(coupon, version):
    """What the user gets for an order; nothing for one that was lost."""
    if version == "3":
        return f"to pay: {500 - 100 // (coupon % 3)}"
    if version == "4" and coupon % 4 == 0:
        return ""
    return f"to pay: {500 - coupon % 10}"


class Pod:
    """One pod's server and its counters."""

    def __init__(self, name, version):
        self.name, self.version = name, version
        self.lock = threading.Lock()
        self.counts, self.buckets, self.seconds = {"200": 0, "500": 0}, [0] * len(BOUNDS), 0.0
        self.lost = 0
        pod = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self):
                if self.path == "/metrics":
                    return self.answer(200, pod.metrics())
                return self.answer(*pod.checkout(self.path))

            def answer(self, status, text):
                body = text.encode()
                head = f"HTTP/1.1 {status} -\r\nContent-Type: text/plain; version=0.0.4\r\n"
                head += f"Content-Length: {len(body)}\r\n\r\n"
                self.wfile.write(head.encode() + body)

            def log_message(self, *unused):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def checkout(self, path):
        began = time.monotonic()
        time.sleep(random.uniform(0.002, 0.02))
        try:
            coupon = int(path.rpartition("=")[2] or 0)
            status, text = 200, confirmation(coupon, self.version)
        except ZeroDivisionError as error:
            status, text = 500, str(error)
        took = time.monotonic() - began
        with self.lock:
            self.counts[str(status)] += 1
            self.seconds += took
            self.lost += text == ""
            for i, bound in enumerate(BOUNDS):
                self.buckets[i] += took <= bound
        return status, text

    def metrics(self):
        with self.lock:
            count = sum(self.counts.values())
            lines = ["# TYPE http_requests_total counter"]
            lines += [f'http_requests_total{{code="{c}"}} {n}' for c, n in self.counts.items()]
            lines += ["# TYPE shop_orders_lost_total counter", f"shop_orders_lost_total {self.lost}"]
            lines.append("# TYPE http_request_duration_seconds histogram")
            name = "http_request_duration_seconds"
            lines += [f'{name}_bucket{{le="{b}"}} {n}' for b, n in zip(BOUNDS, self.buckets)]
            lines.append(f'{name}_bucket{{le="+Inf"}} {count}')
            lines += [f"{name}_sum {self.seconds:.6f}", f"{name}_count {count}"]
        return "\n".join(lines) + "\n"


class Mesh:
    """What runs now, and who gets how much of the traffic."""

    def __init__(self, args):
        self.args, self.pods, self.routes = args, {}, []

    def get(self, path):
        with urllib.request.urlopen(self.args.api + path, timeout=5) as answer:
            return json.load(answer)

    def look(self):
        ns, name = self.args.namespace, self.args.workload
        pods = self.get(f"/api/v1/namespaces/{ns}/pods")["items"]
        istio = f"/apis/networking.istio.io/v1beta1/namespaces/{ns}"
        rule = self.get(f"{istio}/destinationrules/{name}")
        route = self.get(f"{istio}/virtualservices/{name}")["spec"]["http"][0]["route"]
        ready = {p["metadata"]["name"]: p for p in pods if is_ready(p)}
        for gone in set(self.pods) - set(ready):
            self.pods.pop(gone).server.shutdown()
        for name in set(ready) - set(self.pods):
            self.pods[name] = Pod(name, version_of(ready[name]))
        subsets = {s["name"]: s["labels"] for s in rule["spec"]["subsets"]}
        self.routes = [
            (r.get("weight", 0), [self.pods[n] for n, p in ready.items()
                                  if has(p, subsets[r["destination"]["subset"]])])
            for r in route]
        self.tell_prometheus()

    def tell_prometheus(self):
        groups = [{"targets": [f"127.0.0.1:{pod.port}"],
                   "labels": {"namespace": self.args.namespace, "pod": name}}
                  for name, pod in sorted(self.pods.items())]
        write(self.args.targets, groups)

    def watch(self):
        while True:
            try:
                self.look()
            except (OSError, KeyError, ValueError) as error:
                print("the cluster did not answer:", error, flush=True)
            time.sleep(0.3)


class Users:
    """They come at a steady rate and count what they get."""

    def __init__(self, args, mesh):
        self.args, self.mesh, self.lock = args, mesh, threading.Lock()
        self.by_version = {}
        self.unreachable = 0

    def come(self, share):
        connections, due = {}, time.monotonic()
        while True:
            due += share / self.args.rate
            time.sleep(max(0.0, due - time.monotonic()))
            routes = [(w, pods) for w, pods in self.mesh.routes if w > 0 and pods]
            if not routes:
                continue
            pods = random.choices([p for _, p in routes], [w for w, _ in routes])[0]
            self.ask(random.choice(pods), connections)

    def ask(self, pod, connections):
        if pod.name not in connections:
            connections[pod.name] = http.client.HTTPConnection("127.0.0.1", pod.port, timeout=5)
        try:
            connections[pod.name].request("GET", f"/checkout?coupon={random.randrange(1000)}")
            answer = connections[pod.name].getresponse()
            self.count(pod.version, answer.read() == b"" or answer.status >= 500)
        except (OSError, http.client.HTTPException):
            connections.pop(pod.name).close()
            with self.lock:
                self.unreachable += 1

    def count(self, version, failed):
        with self.lock:
            row = self.by_version.setdefault(
                version, {"requests": 0, "failed": 0, "firstFailure": None, "lastFailure": None})
            row["requests"] += 1
            if failed:
                row["failed"] += 1
                row["lastFailure"] = time.time()
                row["firstFailure"] = row["firstFailure"] or row["lastFailure"]

    def report(self):
        with self.lock:
            write(self.args.stats, {"versions": self.by_version, "unreachable": self.unreachable})


def is_ready(pod):
    conditions = pod.get("status", {}).get("conditions", [])
    up = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    return up and "deletionTimestamp" not in pod["metadata"]


def version_of(pod):
    return pod["spec"]["containers"][0]["image"].rpartition(":")[2]


def has(pod, labels):
    return labels.items() <= pod["metadata"].get("labels", {}).items()


def write(path, value):
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(value, file)
    os.replace(path + ".new", path)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--api", required=True, help="the API server, over plain HTTP")
    parser.add_argument("--namespace", default="shop")
    parser.add_argument("--workload", default="checkout")
    parser.add_argument("--rate", type=float, default=100, help="requests a second")
    parser.add_argument("--targets", required=True, help="file for Prometheus' file_sd_configs")
    parser.add_argument("--stats", required=True, help="file for what the users saw")
    args = parser.parse_args()
    mesh = Mesh(args)
    users = Users(args, mesh)
    senders = 5
    threading.Thread(target=mesh.watch, daemon=True).start()
    for _ in range(senders):
        threading.Thread(target=users.come, args=(senders,), daemon=True).start()
    while True:
        users.report()
        time.sleep(0.3)


if __name__ == "__main__":
    main()
