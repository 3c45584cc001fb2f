"""RTP over aiortp's packets, jitter playout and RTCP: stream, port, recording."""
