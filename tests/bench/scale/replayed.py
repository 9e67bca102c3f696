# SPDX-License-Identifier: GPL-3.0-or-later
"""Speed of a replay against that of the same operations done directly, on a
fresh file system that was mounted anew (replay_speed.c)."""

import json
import os
import subprocess
import tempfile

from lab import TOP, LabError, say
from report import percentile, spread
import tables

PROGRAM = os.path.join(TOP, 'build/tests/mirror-replay-speed')
# kind: operations
KINDS = {'write-1m': 500, 'write-64k': 8000, 'write-4k': 50000,
         'create': 50000, 'rename': 50000, 'unlink': 50000, 'times': 50000,
         'setxattr': 50000}
MAKE = {'ext4': ('mkfs.ext4', '-q', '-F', '-E', 'lazy_itable_init=0'),
        'xfs': ('mkfs.xfs', '-q', '-f')}
DISK_MB = {False: 3072, True: 512}      # quick or not
MB = 1000000


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.PIPE, check=False, timeout=200)
    if done.returncode != 0:
        raise LabError('%s: %s' % (command[0], done.stderr.strip()))
    return done.stdout


def one(device, args, kind, way, folder, store):
    run(*MAKE[args.fs], device)
    count = KINDS[kind] // (10 if args.quick else 1)
    found = json.loads(run(PROGRAM, way, kind, str(count), device, args.fs,
                           folder, store))
    return dict(found, rate=found['operations'] / found['seconds'])


def measure(args):
    os.makedirs(args.diskdir, exist_ok=True)
    samples = []
    with tempfile.NamedTemporaryFile(dir=args.diskdir) as disk, \
            tempfile.TemporaryDirectory(dir='/dev/shm') as store, \
            tempfile.TemporaryDirectory() as folder:
        # Every block is written before it is measured.
        for _ in range(DISK_MB[args.quick]):
            disk.write(bytes(1 << 20))
        disk.flush()
        device = run('losetup', '-f', '--show', disk.name).strip()
        try:
            for number in range(args.rounds):
                for kind in KINDS:
                    for way in args.rng.sample(('direct', 'replay'), 2):
                        sample = one(device, args, kind, way, folder, store)
                        samples.append(dict(sample, round=number, fs=args.fs))
                        say('%2d  %-10s %-7s %10.0f /s' % (
                            number, kind, way, sample['rate']))
        finally:
            run('losetup', '-d', device)
    return samples


def of(samples, kind, way):
    return {s['round']: s for s in samples
            if (s['kind'], s['way']) == (kind, way)}


def tell(samples):
    rows = []
    for kind in KINDS:
        replay, direct = of(samples, kind, 'replay'), of(samples, kind,
                                                         'direct')
        if not replay:
            continue
        rates = [s['rate'] for s in replay.values()]
        size = next(iter(replay.values()))
        amount = percentile(rates, 50) * size['bytes'] / size['operations']
        both = [r for r in replay if r in direct]
        rows.append((
            kind, tables.number(percentile(rates, 50)),
            tables.number(amount / MB) if amount else '',
            tables.number(percentile([s['rate'] for s in direct.values()],
                                     50)),
            tables.spread(spread([replay[r]['rate'] / direct[r]['rate']
                                  for r in both])),
            tables.spread(spread([replay[r]['cpu'] / direct[r]['cpu']
                                  for r in both]))))
    return ('A replay as a takeover does it, from the store to the end of '
            '`syncfs`, on %s: records of eight clients\' processes, none of '
            'which the volume has. Directly: the same operations by names in '
            'open directories, as one user, and `syncfs`; what no replay can '
            'be faster than.\n\n' % samples[0]['fs'] +
            tables.table(('records', 'replayed /s', 'MB/s', 'directly /s',
                          'replay ÷ directly', 'CPU ÷ directly'), rows))
