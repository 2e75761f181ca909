# SPDX-License-Identifier: Apache-2.0
# A real gRPC server that answers grpc.health.v1.Health/Check, for tests. The messages are two
# fields, written by hand; everything below them is gRPC's own. Prints its ports as one line and
# runs until it is ended.
#   grpc_server.py [CERT KEY]     "PLAIN [TLS]"
import sys
import threading
from concurrent import futures

import grpc

release = threading.Event()


def service_of(request):
    return request[2:].decode() if request else ""


def check(request, context):
    service = service_of(request)
    if service == "orders":
        return b"\x12\x03new\x08\x01"  # a field of tomorrow, then SERVING
    if service == "draining":
        return b"\x08\x02"
    if service == "odd":
        return b"\xff"
    if service == "hangs":
        release.wait()
        return b"\x08\x01"
    if service == "absent":
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "unknown service grpc.health.v1.Health")
    if service == "broken":
        context.abort(grpc.StatusCode.INTERNAL, "disk full: 100%\nsorry")
    if service:
        context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
    return b"\x08\x01"


class Health(grpc.GenericRpcHandler):
    def service(self, call):
        if call.method != "/grpc.health.v1.Health/Check":
            return None
        return grpc.unary_unary_rpc_method_handler(check)


def main():
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    server.add_generic_rpc_handlers((Health(),))
    ports = [server.add_insecure_port("127.0.0.1:0")]
    if len(sys.argv) == 3:
        with open(sys.argv[1], "rb") as cert, open(sys.argv[2], "rb") as key:
            credentials = grpc.ssl_server_credentials([(key.read(), cert.read())])
        ports.append(server.add_secure_port("127.0.0.1:0", credentials))
    server.start()
    print(*ports, flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
