"""Reads V2 encodings (hexadecimal, a line each) with PyPI's hdrhistogram; answers what it found, and its own encoding."""

import base64
import struct
import sys
import zlib

from hdrh.histogram import HdrHistogram

COMPRESSED_V2 = 0x1C849314

for line in sys.stdin:
    packed = zlib.compress(bytes.fromhex(line.strip()))
    histogram = HdrHistogram.decode(base64.b64encode(struct.pack(">ii", COMPRESSED_V2, len(packed)) + packed))
    counts = [
        (item.value_iterated_to, item.count_at_value_iterated_to)
        for item in histogram.get_recorded_iterator()
    ]
    again = zlib.decompress(base64.b64decode(histogram.encode())[8:]).hex()
    percentiles = [histogram.get_value_at_percentile(p) for p in (50, 90, 95, 99, 99.9)]
    print(histogram.get_total_count(), ",".join(f"{value}:{count}" for value, count in counts) or "-", again)
    print(*percentiles)
