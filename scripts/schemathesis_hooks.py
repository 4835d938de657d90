"""What schemathesis does not know by itself: a piece of a resumable upload (tus 1.0) is any bytes."""

import schemathesis
from hypothesis import strategies

schemathesis.openapi.media_type("application/offset+octet-stream", strategies.binary(max_size=1000))
