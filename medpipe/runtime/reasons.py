"""The reason codes that metrics know by name; a code of somebody else's making is `other` there."""

NONE, OTHER = "none", "other"

_OF_ITEMS = """
age_restricted bad_id bad_redirect blocked_address broken_image content_changed corrupt_video drm
empty_file forbidden geo_blocked image_too_large live members_only missing_file no_audio no_frame
no_stamps no_video not_a_file not_a_video not_an_image not_found nothing_usable payment_required
premiere private redirect_loop refused_by_server removed several_videos sign_in_required too_large
too_long too_many_entries too_short truncated undecodable unreadable_file unsafe_archive
unsafe_path unsupported_scheme unsupported_stream web_page
"""
_OF_THE_WORLD = """
disk_full extractor_failed files_changed host_down model_unreachable not_ready queue_unavailable
rate_limited store_unavailable timed_out unreachable
"""
_OF_WORKERS_AND_NODES = """
bug cancelled config_error deadline_exceeded memory_limit node_lost out_of_memory ray_lost_it
source_lost unreachable_for_a_while worker_cannot_start worker_died worker_gone
worker_start_timed_out
"""

KNOWN = frozenset((_OF_ITEMS + _OF_THE_WORLD + _OF_WORKERS_AND_NODES).split())


def label(code: str | None) -> str:
    """A reason code as the label of a metric: one of a closed set."""
    if code is None:
        return NONE
    return code if code in KNOWN else OTHER
