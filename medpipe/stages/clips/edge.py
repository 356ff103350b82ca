"""Cuts clips on the machine that holds the video and puts them into the store."""

import errno
import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path

from av.error import FFmpegError
from pydantic import Field

from medpipe.errors import Rejected
from medpipe.media.cutting import Cut, cut_clip
from medpipe.records import Drop, Record, Seconds
from medpipe.stages.clips.config import ClipConfig
from medpipe.storage import ObjectStore


class Clip(Record):
    """A clip in the store.

    Attributes:
        key: Its key there.
        start_s: When its first frame is shown, seconds from the video's start.
        end_s: When its last frame ends, same clock.
        sha256: Of its bytes, 64 hex characters.
        audio_codec: None where the video is silent.
        how: `copied` or `encoded`.
    """

    key: str
    start_s: Seconds
    end_s: Seconds
    sha256: str
    size_bytes: int = Field(gt=0)
    video_codec: str
    audio_codec: str | None
    how: str = Field(pattern="^(copied|encoded)$")


def cut_clips(
    video: Path,
    spans_s: Sequence[tuple[float, float]],
    store: ObjectStore,
    prefix: str,
    config: ClipConfig,
) -> list[Clip | Drop]:
    """Cut a clip for each span and put it into the store.

    Args:
        video: File on this machine; the clips pass through its folder.
        spans_s: (start, end) of each, seconds from the video's start.
        store: The dataset's.
        prefix: How the clips' keys begin; a hash of the content and `.mp4` follow.
        config: How to cut.

    Returns:
        One answer a span: the clip, or why there is none.

    Raises:
        Transient: The store cannot be reached.
        OSError: The disk is full, or the video is gone.
    """
    answers: list[Clip | Drop] = []
    with tempfile.TemporaryDirectory(dir=video.parent, prefix="clips-") as folder:
        target = Path(folder) / "clip.mp4"
        for start_s, end_s in spans_s:
            try:
                cut = _cut(video, target, (start_s, end_s), config)
            except Rejected as error:
                answers.append(_drop(error.code, error.detail, start_s, end_s))
            except FFmpegError as error:
                if error.errno == errno.ENOSPC:
                    raise
                answers.append(_drop("cannot_be_cut", str(error), start_s, end_s))
            else:
                answers.append(_stored(cut, target.read_bytes(), store, prefix))
    return answers


def _cut(video: Path, target: Path, span_s: tuple[float, float], config: ClipConfig) -> Cut:
    """Copy if that can be done, else encode; also where MP4 does not take the packets."""
    try:
        return cut_clip(video, target, *span_s, slack_s=config.slack_s, crf=config.crf)
    except FFmpegError as error:
        if error.errno == errno.ENOSPC:
            raise
        return cut_clip(video, target, *span_s, slack_s=None, crf=config.crf)


def _stored(cut: Cut, data: bytes, store: ObjectStore, prefix: str) -> Clip:
    sha256 = hashlib.sha256(data).hexdigest()
    key = f"{prefix}{sha256[:24]}.mp4"
    store.write(key, data)
    return Clip(
        key=key,
        start_s=cut.start_s,
        end_s=cut.end_s,
        sha256=sha256,
        size_bytes=len(data),
        video_codec=cut.video_codec,
        audio_codec=cut.audio_codec,
        how="copied" if cut.copied else "encoded",
    )


def _drop(code: str, detail: str, start_s: float, end_s: float) -> Drop:
    return Drop(stage="clips", kind="clip", code=code, detail=detail, start_s=start_s, end_s=end_s)
