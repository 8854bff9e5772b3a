"""An object store for tests: moto's S3 on a port of its own, whose traffic is counted and can be disturbed."""

import threading
from collections.abc import Callable, Iterable
from functools import cached_property
from http import HTTPStatus
from types import TracebackType
from typing import Any, Literal, Self
from uuid import uuid4

import boto3
from botocore.config import Config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from s3path import S3Path, register_configuration_parameter
from werkzeug.serving import make_server

ACCESS_KEY, SECRET_KEY, REGION = "test", "test-secret", "eu-west-3"

Disturbance = Literal["refuse", "lose answer", "slow"]


class FakeStore:
    """A running object store with one bucket; used as a context manager.

    Args:
        retries: how often the client repeats what failed; None is what the SDK of the platform has.

    Attributes:
        asked: method and key of each request, in order; a listing has its prefix.
        disturb: what happens to a request, by method and key.
        bucket: name of the bucket.
        knows_conditions: does it heed If-Match and If-None-Match?
        release: ends the waiting of slow answers.
    """

    def __init__(self, *, retries: int | None = 0) -> None:
        # All stores of a process share what they hold.
        self.bucket = f"data-{uuid4().hex}"
        self._retries = retries
        self.asked: list[tuple[str, str]] = []
        self.disturb: Callable[[str, str], Disturbance | None] = lambda method, key: None
        self.knows_conditions = True
        self.release = threading.Event()
        self._backend = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="fake-store", daemon=True
        )
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def path(self, *parts: str) -> S3Path:
        """A path in the bucket, as the SDK of the platform makes it."""
        bucket = S3Path(f"/{self.bucket}")
        register_configuration_parameter(bucket, resource=self._resource)
        return bucket.joinpath(*parts)

    def environment(self, sub_folder: str) -> dict[str, str]:
        """What the platform tells a component whose files are here."""
        return {
            "FILE_BACKEND": "S3",
            "AWS_BUCKET_NAME": self.bucket,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_S3_ENDPOINT_URL": self.url,
            "SUB_FOLDER": sub_folder,
        }

    def contents(self) -> dict[str, bytes]:
        """All objects by their keys."""
        bucket = self._resource.Bucket(self.bucket)
        return {found.key: found.get()["Body"].read() for found in bucket.objects.all()}

    def put(self, key: str, content: bytes) -> None:
        """Put an object, as somebody else would."""
        self._resource.Object(self.bucket, key).put(Body=content)

    def __enter__(self) -> Self:
        self._thread.start()
        self._resource.create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        self.asked.clear()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @cached_property
    def _resource(self) -> Any:
        return boto3.resource(
            "s3",
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            config=Config() if self._retries is None else Config(retries={"max_attempts": self._retries}),
        )

    def _answer(self, environment: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        method, key = environment["REQUEST_METHOD"], environment["PATH_INFO"].removeprefix(f"/{self.bucket}/")
        self.asked.append((method, key))
        if not self.knows_conditions:
            environment.pop("HTTP_IF_MATCH", None)
            environment.pop("HTTP_IF_NONE_MATCH", None)
        disturbance = self.disturb(method, key)
        if disturbance == "slow":
            self.release.wait(30)
        if disturbance != "refuse":
            answer: Iterable[bytes] = self._backend(environment, start)
            if disturbance is None or disturbance == "slow":
                return answer
        status = HTTPStatus.SERVICE_UNAVAILABLE
        start(f"{status.value} {status.phrase}", [("Content-Type", "application/xml")])
        return [b"<Error><Code>ServiceUnavailable</Code><Message>Please try again</Message></Error>"]
