"""Prometheus metrics of the telephone edge."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

bad_sip = Counter("hotline_sip_bad_messages_total", "SIP that was answered with 4xx/5xx or dropped", ["reason", "fate"])
requests = Counter("hotline_sip_requests_total", "SIP requests received", ["method"])
responses = Counter("hotline_sip_responses_total", "Final SIP responses sent", ["method", "status"])
retransmissions = Counter("hotline_sip_retransmissions_total", "SIP messages sent again", ["method"])
calls = Counter("hotline_sip_calls_total", "Calls by how they ended", ["direction", "ended"])
active = Gauge("hotline_sip_active_calls", "Calls that are up or ringing")
rejected = Counter("hotline_sip_rejected_calls_total", "Inbound calls refused", ["status"])
transfers = Counter("hotline_sip_transfers_total", "Transfers by outcome", ["outcome"])
registered = Gauge("hotline_sip_registered", "1 while the trunk holds our registration")
register_failures = Counter("hotline_sip_register_failures_total", "REGISTER attempts that failed", ["status"])
call_seconds = Histogram(
    "hotline_sip_call_seconds", "Length of answered calls", buckets=(5, 15, 30, 60, 120, 300, 600, 1200, 3600)
)

rtp_dropped = Counter("hotline_sip_rtp_dropped_total", "RTP packets not used", ["reason"])
rtp_lost = Counter("hotline_sip_rtp_lost_total", "RTP packets that never came (RFC 3550 A.3)")
rtp_concealed = Counter("hotline_sip_rtp_concealed_frames_total", "20 ms frames made up for lost packets")
rtp_late_ticks = Counter("hotline_sip_media_late_ticks_total", "20 ms ticks that ran more than one tick late")
frames_unread = Counter("hotline_sip_frames_unread_total", "Incoming frames dropped because nobody read them")
recording_lost = Counter("hotline_sip_recording_lost_seconds_total", "Recording replaced by silence: the disk was slow")
