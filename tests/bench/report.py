# SPDX-License-Identifier: GPL-3.0-or-later
"""The arithmetic of the benchmark: paired ratios, their spread, what a sample
says per operation, and which targets are met. It measures and prints nothing.

A sample is a dictionary:
    round, workload, variant
    rate            what the workload counts, per second
    operations, bytes, seconds
    latency_us      {'p50': .., 'p99': .., 'max': ..}; None: not known
    cpu_us          {'owner': .., 'partner': .., 'client': .., 'elsewhere': ..}
    link_bytes, disk_bytes, disk_flushes
or, where it could not be measured: round, workload, variant, error.
"""

from collections import namedtuple

Spread = namedtuple('Spread', 'median q1 q3 count')


def percentile(values, percent):
    """Linear between the closest ranks; values need not be sorted."""
    values = sorted(values)
    place = (len(values) - 1) * percent / 100
    below = int(place)
    above = min(below + 1, len(values) - 1)
    return values[below] + (values[above] - values[below]) * (place - below)


def spread(values):
    """Median and quartiles; None of nothing."""
    if not values:
        return None
    return Spread(percentile(values, 50), percentile(values, 25),
                  percentile(values, 75), len(values))


# --------------------------------------------------------------- of samples

def rate(sample):
    return sample['rate']


def latency(which):
    def of(sample):
        return (sample['latency_us'] or {}).get(which)
    return of


def per_operation(*keys):
    """The function that says how much of a counter one operation took."""
    def of(sample):
        value = sample
        for key in keys:
            value = value.get(key)
            if value is None:
                return None
        return value / sample['operations']
    return of


def cpu(sample):
    """Microseconds of nodes and client for an operation. Other work on the
    machine, which makes everything slower, hardly changes it."""
    spent = sample['cpu_us']
    return (spent['owner'] + spent['partner'] + spent['client']) / \
        sample['operations']


def values(samples, workload, variant, of):
    """{round: value} of the samples that have one."""
    found = {}
    for sample in samples:
        if (sample['workload'], sample['variant']) != (workload, variant):
            continue
        value = None if 'error' in sample else of(sample)
        if value is not None:
            found[sample['round']] = value
    return found


def typical(samples, workload, variant, of):
    return spread(list(values(samples, workload, variant, of).values()))


def ratio(samples, workload, variant, base, of=rate):
    """Spread of variant / base. Each ratio is of two samples of one round,
    which were taken one after the other: what disturbs the machine for longer
    than that stands above and below the line."""
    above = values(samples, workload, variant, of)
    below = values(samples, workload, base, of)
    return spread([above[r] / below[r] for r in sorted(above)
                   if below.get(r)])


# ----------------------------------------------------------------- targets

Target = namedtuple('Target', 'workloads base low high flush_ms',
                    defaults=(None, None, None))

STREAMS = ('write-sequential-64k', 'write-sequential-1m', 'put')
RANDOM = ('write-random-4k-q1', 'write-random-4k-q16')
METADATA = ('create', 'rename', 'unlink', 'mkdir', 'set-attributes',
            'set-acl')
READS = ('read-sequential-64k', 'read-sequential-1m')
NETBENCH = ('nbench-1', 'nbench-4', 'nbench-8')
# Of variant `mirror'. Equal speed is a ratio of 1.00 give or take 0.02.
TARGETS = (
    Target(STREAMS, 'plain', 0.85),
    Target(('write-random-4k-q1',), 'plain', 0.7),
    Target(('write-random-4k-q16',), 'plain', 0.85),
    Target(METADATA, 'plain', 0.8),
    Target(NETBENCH, 'plain', 0.85),
    Target(READS, 'plain', 0.98, 1.02),
    Target(STREAMS + RANDOM + METADATA + NETBENCH + ('tree',), 'sync', 1.0),
    Target(READS + ('open-close',), 'sync', 0.98),
    # only where a flush of the disk costs that much
    Target(NETBENCH, 'sync', 2.0, flush_ms=1.0),
    Target(STREAMS + RANDOM + READS + NETBENCH, 'gluster', 5.0),
    Target(METADATA, 'gluster', 10.0),
)
# The longest that a client may wait while epochs close under full load.
STALLS = STREAMS[:2] + RANDOM[1:]
STALL_MS = 100

Line = namedtuple('Line', 'workload base target measured verdict clear')


def verdict(found, low, high):
    """('met' or 'missed', whether both quartiles say the same)"""
    def inside(value):
        return ((low is None or value >= low) and
                (high is None or value <= high))

    met = inside(found.median)
    return ('met' if met else 'missed',
            inside(found.q1) == met and inside(found.q3) == met)


def wanted(low, high):
    if low is None:
        return '≤ %g' % high
    return '≥ %g' % low if high is None else '%g–%g' % (low, high)


def judge(samples, flush_ms):
    """A Line for each target that something was measured for."""
    lines = []
    for target in TARGETS:
        for workload in target.workloads:
            found = ratio(samples, workload, 'mirror', target.base)
            if not found:
                continue
            says = (('not judged: a flush costs less than %g ms'
                     % target.flush_ms, True)
                    if flush_ms < (target.flush_ms or 0)
                    else verdict(found, target.low, target.high))
            lines.append(Line(workload, target.base,
                              wanted(target.low, target.high), found, *says))
    for workload in STALLS:
        stalls = values(samples, workload, 'mirror', latency('max'))
        if stalls:
            # The longest of all rounds is what is meant, not the typical one.
            worst = max(stalls.values()) / 1000
            found = Spread(worst, worst, worst, len(stalls))
            lines.append(Line(workload, 'longest stall, ms',
                              wanted(None, STALL_MS), found,
                              *verdict(found, None, STALL_MS)))
    return lines
