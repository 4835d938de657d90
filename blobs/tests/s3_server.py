"""An S3 server for tests: moto on a free port, which it prints. Ends when its input does, so it outlives no test.

Two things that S3 does otherwise are set right. moto looks whether a condition of a put holds and only then puts; S3
does both at once: puts take turns here. And for the parts of an upload that is over S3 answers 404, moto 500."""

import os
import sys
import threading

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.s3.exceptions import NoSuchUpload
from moto.s3.models import S3Backend
from moto.s3.responses import S3Response
from werkzeug.serving import make_server

turn = threading.Lock()
put_object = S3Response.put_object


def put_in_turn(self):
    with turn:
        return put_object(self)


def known(method):
    def of_a_known_upload(self, bucket_name, multipart_id, *rest):
        if multipart_id not in self.get_bucket(bucket_name).multiparts:
            raise NoSuchUpload(upload_id=multipart_id)
        return method(self, bucket_name, multipart_id, *rest)

    return of_a_known_upload


def end_with_input():
    sys.stdin.buffer.read()
    os._exit(0)


S3Response.put_object = put_in_turn
S3Backend.upload_part = known(S3Backend.upload_part)
S3Backend.complete_multipart_upload = known(S3Backend.complete_multipart_upload)
threading.Thread(target=end_with_input, daemon=True).start()
application = DomainDispatcherApplication(create_backend_app)
server = make_server("127.0.0.1", 0, application, True, request_handler=MotoRequestHandler)
print(server.server_port, flush=True)
server.serve_forever()
