"""Listen: sound blocks in, words with real times out. Importing this loads no model library."""

from medpipe.stages.transcribe.config import TranscribeConfig
from medpipe.stages.transcribe.transcriber import Transcriber

__all__ = ["TranscribeConfig", "Transcriber"]
