# Reads a .hlog with the HdrHistogram implementation of PyPI: for each tag its samples, and every value with its count.
import json
import sys

from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

LOWEST, HIGHEST, DIGITS = 1, 3_600_000_000, 3


def main(path):
    reader = HistogramLogReader(path, HdrHistogram(LOWEST, HIGHEST, DIGITS))
    sums, lines = {}, 0
    while True:
        histogram = reader.get_next_interval_histogram()
        if histogram is None:
            break
        lines += 1
        tag = histogram.get_tag() or ""
        sums.setdefault(tag, HdrHistogram(LOWEST, HIGHEST, DIGITS)).add(histogram)
    found = {}
    for tag, histogram in sums.items():
        counts = [
            [item.value_iterated_to, item.count_added_in_this_iter_step] for item in histogram.get_recorded_iterator()
        ]
        found[tag] = {"samples": histogram.get_total_count(), "max": histogram.get_max_value(), "counts": counts}
    print(json.dumps({"lines": lines, "tags": found}))


main(sys.argv[1])
