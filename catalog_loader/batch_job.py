"""Does the tasks of S3 Batch Operations: sends the message of each object that Amazon S3 names, and answers for it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pipeline.errors import BadMessage, CallerError, RetryLater
from pipeline.images import ImageRef
from pipeline.messages import TagImage
from pipeline.not_pictures import skip_reason
from pipeline.run_id import checked_run_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipeline.ports import MessageQueue

SCHEMAS = ("1.0", "2.0")  # of an invocation, by the Amazon S3 User Guide, "Invoke AWS Lambda function"


class ResultCode(StrEnum):
    """What becomes of a task: S3 calls again for a temporary failure, and reports the others as they are."""

    SUCCEEDED = "Succeeded"
    TEMPORARY_FAILURE = "TemporaryFailure"
    PERMANENT_FAILURE = "PermanentFailure"


def make_batch_handler(queue: MessageQueue) -> Callable[[Mapping[str, Any], object], dict[str, Any]]:
    """Return the handler that S3 calls for each object of a job's manifest. The job's id is the id of the run.

    The handler raises:
        BadMessage: the event is no invocation of S3 Batch Operations in a schema that we read.
        Denied: the queue is not ours to write to.
        NoStack: there is no such queue.
    """

    def handle(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
        try:
            schema, invocation_id, tasks = event["invocationSchemaVersion"], event["invocationId"], event["tasks"]
            run_id = checked_run_id(event["job"]["id"])
        except (KeyError, TypeError, CallerError) as error:
            raise BadMessage(f"the event is no invocation of S3 Batch Operations: {error}") from error
        if schema not in SCHEMAS:
            raise BadMessage(f"the invocation's schema is {schema!r}; it must be {' or '.join(SCHEMAS)}")
        return {
            "invocationSchemaVersion": schema,
            "invocationId": invocation_id,
            "treatMissingKeysAs": ResultCode.TEMPORARY_FAILURE,  # a task without an answer was not done
            "results": [_result(task, run_id, queue) for task in tasks],
        }

    return handle


def _result(task: Mapping[str, Any], run_id: str, queue: MessageQueue) -> dict[str, str]:
    try:
        code, text = _send(TagImage(_image(task), run_id), queue)
    except CallerError as error:
        code, text = ResultCode.PERMANENT_FAILURE, str(error)
    except KeyError as error:
        code, text = ResultCode.PERMANENT_FAILURE, f"the task lacks {error}"
    except RetryLater as error:
        code, text = ResultCode.TEMPORARY_FAILURE, str(error)
    return {"taskId": task["taskId"], "resultCode": code, "resultString": text}


def _send(message: TagImage, queue: MessageQueue) -> tuple[ResultCode, str]:
    reason = skip_reason(message.image.key)
    if reason is not None:
        return ResultCode.SUCCEEDED, f"skipped: {reason}"
    # Sent, and not reconciled here: one photo a call would be slower, and uploads would wait (DECISIONS.md, 129).
    if queue.send([message]):
        return ResultCode.TEMPORARY_FAILURE, "the queue did not take the message"
    return ResultCode.SUCCEEDED, "sent to be tagged"


def _image(task: Mapping[str, Any]) -> ImageRef:
    """Return the object as it is now: the message names no version, whichever the job's manifest does.

    Schema 1.0 has the bucket's ARN, 2.0 its name; keys are encoded like a form in both.
    """
    bucket = task["s3Bucket"] if "s3Bucket" in task else task["s3BucketArn"].rpartition(":")[2]
    return ImageRef.from_event(bucket, task["s3Key"])
