# SPDX-License-Identifier: GPL-3.0-or-later
"""The pause of a takeover against the amount of records in the store, by
tests/bench/takeover."""

import json
import os
import re
import subprocess
import tempfile

from lab import TOP, LabError, say
from report import percentile
import tables

RECORDS = (1, 256, 1024)
MIB = 1 << 20
SERVED = re.compile(r'mounted (\d+), replayed (\d+): (\d+) records, '
                    r'(\d+) bytes')


def one(args, mib):
    with tempfile.NamedTemporaryFile() as out:
        done = subprocess.run(
            (os.path.join(TOP, 'tests/bench/takeover'), '--runs',
             str(args.rounds), '--victims', 'other', '--arpd', 'yes',
             '--records', str(mib), '--fs', args.fs, '--pair', 'store=4G',
             '--json', out.name),
            env=dict(os.environ, LAB=args.lab, DISKMB='5120',
                     DISKDIR=args.diskdir), check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise LabError('takeover: ' + done.stdout)
        return [json.loads(line) for line in out.read().splitlines()]


def takeover(args):
    samples = []
    amounts = RECORDS[:1] if args.quick else map(int, args.records.split(','))
    for mib in amounts:
        for number, found in enumerate(one(args, mib)):
            served = SERVED.search(' '.join(found['timeline']))
            if not served:
                raise LabError('no takeover in %s' % found['timeline'])
            mounted, replayed, records, size = map(int, served.groups())
            samples.append({
                'round': number, 'mib': mib, 'pause': found['pause'],
                'mounted': mounted / 1000, 'replayed': replayed / 1000,
                'records': records, 'bytes': size})
            say('%5d MiB  %.2f s' % (mib, found['pause']))
    return samples


def tell(samples):
    rows = []
    for mib in sorted({s['mib'] for s in samples}):
        mine = [s for s in samples if s['mib'] == mib]

        def middle(key, found=tuple(mine)):
            return percentile([s[key] for s in found], 50)

        took = middle('replayed') - middle('mounted')
        pauses = [s['pause'] for s in mine]
        rows.append((
            str(mib), tables.number(middle('bytes') / MIB),
            tables.number(middle('records')), str(len(mine)),
            '%.2f (%.2f–%.2f)' % (percentile(pauses, 50), min(pauses),
                                  max(pauses)),
            '%.2f' % took,
            tables.number(middle('bytes') / MIB / took) if took > 0 and mib
            else ''))
    return ('From the power cut of the owner (not ctdb\'s leader) to the '
            'first answer, with a store of 4 GiB; epochs are closed only '
            'when they are half full.\n\n' +
            tables.table(('MiB written', 'MiB replayed', 'records', 'runs',
                          'pause, s (min–max)', 'of it replay, s',
                          'replay, MiB/s'), rows))
