# SPDX-License-Identifier: GPL-3.0-or-later
"""Scale of what clients see: many clients, many open files, stores of all
sizes, and reads, which shall cost what they cost without us."""

import json
import os
import subprocess
import time

from lab import LabError, TOP, say
from report import percentile, ratio, rate, spread, values
from workloads import SHARE, Client
import measure as measuring
import memory
import tables
import variants

CLIENTS = (1, 8, 64, 256)
FILES = 10000
STORES = ('64M', '256M', '1G', '4G')
MIB = 1 << 20
UNITS = {'M': MIB, 'G': 1 << 30}
# Of store_epoch.c: each of the files has room for a mebibyte more and for its
# chains; and tdb makes it larger by a quarter of a mebibyte or so at a time.
RING = 4
SLACK = MIB + MIB // 4
# Sessions, whose number is that of the smbds that were there.
CONTROL = MIB
CHAINS_MAX = 131071


class Probe(measuring.Probe):
    """Also: what the nodes hold in memory while all clients are there."""

    def __init__(self, server):
        super().__init__(server)
        self.held = {}

    def end(self):
        super().end()
        self.held = {node: memory.of_node(self.server, node)
                     for node in self.server.nodes()}

    def found(self):
        return dict(super().found(), memory=self.held)


class Servers:
    """They are up while this is entered."""

    def __init__(self, args, chosen):
        self.args = args
        self.servers = [variants.Server(name, variant, args)
                        for name, variant in chosen.items()]

    def __enter__(self):
        os.makedirs(self.args.diskdir, exist_ok=True)
        for server in self.servers:
            say('%s: %s' % (server.name, server.variant.text))
            server.up()
        return self.servers

    def __exit__(self, *_):
        for server in self.servers:
            server.down()


def pair_and_plain():
    """With the store that the product has unless told otherwise."""
    return {'plain': variants.VARIANTS['plain'],
            'mirror': variants.VARIANTS['mirror'].like(
                'the pair', None, {'store': '256M'})}


def in_turns(args, servers, workloads):
    samples = []
    for number in range(args.rounds):
        for name, workload in workloads.items():
            for server in args.rng.sample(servers, len(servers)):
                probe = Probe(server)
                sample = {'round': number, 'workload': name,
                          'variant': server.name}
                sample.update(workload.run(server, args.seconds, probe))
                sample.update(probe.found())
                server.check()
                samples.append(sample)
                say('%2d  %-20s %-8s %10.1f /s' % (
                    number, name, server.name, sample['rate']))
    return samples


# ------------------------------------------------------------------- clients

def clients(args):
    counts = CLIENTS[:2] if args.quick else CLIENTS
    workloads = {}
    for count in counts:
        workloads['create, %d' % count] = Client('create', clients=count)
        workloads['write-random-4k, %d' % count] = Client(
            'write-random', '4k', clients=count)
    with Servers(args, pair_and_plain()) as servers:
        return in_turns(args, servers, workloads)


def megabytes(samples, workload, variant, node):
    held = [s['memory'][node] for s in samples
            if (s['workload'], s['variant']) == (workload, variant)]
    return tables.number(percentile(held, 50) / MIB) if held else '–'


def tell_clients(samples):
    rows = []
    for workload in tables.order(samples, 'workload'):
        speed = values(samples, workload, 'plain', rate)
        rows.append((
            workload, tables.number(percentile(list(speed.values()), 50)),
            tables.spread(ratio(samples, workload, 'mirror', 'plain')),
            tables.spread(ratio(samples, workload, 'mirror', 'plain',
                                lambda s: s['latency_us']['p99'])),
            megabytes(samples, workload, 'plain', 'n0'),
            megabytes(samples, workload, 'mirror', 'n0'),
            megabytes(samples, workload, 'mirror', 'n1')))
    return ('Clients with a connection each, one operation in flight on each '
            'of them. Memory in MiB, of the nodes\' processes and of their '
            'files in RAM; each node of the pair has a store of 256 MiB, the '
            'owner that of the other volume.\n\n' +
            tables.table(('workload, clients', 'plain, /s', 'speed ÷ plain',
                          'p99 ÷ plain', 'plain, MiB', 'owner, MiB',
                          'partner, MiB'), rows))


# ---------------------------------------------------------------- open files

def hold(server, count):
    """Open count files on one connection and keep them: seconds until all are
    open, and memory then."""
    before = memory.of_node(server, 'n0')
    begin = time.monotonic()
    with subprocess.Popen(
            [server.lab.testbed, 'exec', 'client', 'timeout', '-k5', '200',
             os.path.join(TOP, 'build/tests/mirror-bench'), '-w', '-t', '0.3',
             '-f', str(count), 'hold', SHARE],
            env=server.lab.env, text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        said = process.stdout.readline()
        seconds = time.monotonic() - begin
        held = memory.of_node(server, 'n0') - before
        while said in ('ready\n', 'measured\n'):
            process.stdin.write('\n')
            process.stdin.flush()
            said = process.stdout.readline()
        process.stdin.close()
        why = process.stderr.read()
    if process.returncode != 0:
        raise LabError('mirror-bench: exit %d: %s' % (process.returncode,
                                                      why.strip()))
    result = json.loads(said)
    if result['errors'] != 0 or result['operations'] == 0:
        raise LabError('%d of %d reads of open files failed' % (
            result['errors'], result['operations']))
    return {'rate': count / seconds, 'seconds': seconds, 'held': held,
            'operations': result['operations'],
            'read_rate': result['operations'] / result['seconds']}


def files(args):
    samples = []
    count = FILES // (20 if args.quick else 1)
    with Servers(args, pair_and_plain()) as servers:
        for number in range(args.rounds):
            for server in args.rng.sample(servers, 2):
                sample = dict(hold(server, count), round=number,
                              workload='hold', variant=server.name,
                              files=count)
                server.check()
                samples.append(sample)
                say('%2d  %d files  %-8s %10.1f /s' % (
                    number, count, server.name, sample['rate']))
    return samples


def tell_files(samples):
    def typical(variant, key, scale=1):
        return tables.number(percentile(list(values(
            samples, 'hold', variant, lambda s: s[key]).values()), 50) / scale)

    count = samples[0]['files']
    rows = [(variant, typical(variant, 'rate'),
             typical(variant, 'held', MIB), typical(variant, 'read_rate'))
            for variant in ('plain', 'mirror')]
    rows.append(('mirror ÷ plain',) + tuple(
        tables.spread(ratio(samples, 'hold', 'mirror', 'plain',
                            lambda s, k=key: s[k]))
        for key in ('rate', 'held', 'read_rate')))
    return ('One client has %s files open at the same time, each of which it '
            'made and wrote 4 KiB to; then it reads blocks of all of them.'
            '\n\n' % '{:,}'.format(count) +
            tables.table(('', 'files opened, /s', 'memory for them, MiB',
                          'reads, /s'), rows))


# -------------------------------------------------------------------- stores

def size_of(text):
    return int(text[:-1]) * UNITS[text[-1]]


def bound(size):
    """Bytes that the files of a store of that size may take: what is
    configured, and in each of them what tdb needs for itself."""
    chains = min(CHAINS_MAX, size // RING // 1024)
    return size + RING * (SLACK + 4 * chains) + CONTROL


def look_at(server):
    """The function that says what is looked at while a stream is written:
    files of the store, mirrord's own memory, all of the owner's."""
    def look():
        return memory.of_store(server, 'n1') + (
            memory.of_processes(server.groups()['n0'])['private'],)
    return look


def stores(args):
    chosen = {'plain': variants.VARIANTS['plain']}
    sizes = STORES[:1] if args.quick else args.stores.split(',')
    for size in sizes:
        chosen[size] = variants.VARIANTS['mirror'].like(
            'the pair with store=' + size, None, {'store': size})
    workload = Client('write-sequential', '1M', 8)
    samples = []
    with Servers(args, chosen) as servers:
        for number in range(args.rounds):
            for server in args.rng.sample(servers, len(servers)):
                sample = {'round': number, 'workload': 'stream',
                          'variant': server.name}
                probe = Probe(server)
                if server.mirrors:
                    look = look_at(server)
                    idle = look()
                    with memory.Sampler(look) as sampler:
                        sample.update(workload.run(server, args.seconds,
                                                   probe))
                    sample.update(
                        idle=idle, most=sampler.most, looks=sampler.count,
                        size=size_of(server.name))
                    if sampler.most[0] > bound(sample['size']):
                        raise LabError('the store of %s takes %d bytes' % (
                            server.name, sampler.most[0]))
                else:
                    sample.update(workload.run(server, args.seconds, probe))
                server.check()
                samples.append(sample)
                say('%2d  %-6s %8.1f MiB/s' % (number, server.name,
                                               sample['rate']))
    return samples


def tell_stores(samples):
    rows = []
    for variant in sorted((v for v in tables.order(samples, 'variant')
                           if v != 'plain'), key=size_of):
        mine = [s for s in samples if s['variant'] == variant]
        most = [max(s['most'][i] for s in mine) for i in range(3)]
        rows.append((
            variant, tables.number(bound(mine[0]['size']) / MIB),
            tables.number(min(s['idle'][0] for s in mine) / MIB),
            tables.number(most[0] / MIB), tables.number(most[1] / MIB),
            tables.spread(ratio(samples, 'stream', variant, 'plain')),
            tables.number(max(s['latency_us']['max'] for s in mine) / 1000)))
    return ('A client writes a stream of 1 MiB writes, eight in flight, as '
            'fast as it can, while the partner\'s memory is looked at %d times '
            'and more. The bound is that of the files of the store (below); '
            'more than that ends the measurement with an error.\n\n' % min(
                s['looks'] for s in samples if 'looks' in s) +
            tables.table(('`mirror:store size`', 'bound, MiB',
                          'store when idle, MiB', 'store at most, MiB',
                          "partner's mirrord, own memory, MiB",
                          'speed ÷ plain', 'longest stall, ms'), rows))


# --------------------------------------------------------------------- reads

def reads(args):
    workloads = {name: Client('read-sequential', size, 8) for name, size in
                 (('read-sequential-64k', '64k'), ('read-sequential-1m', '1M'))}
    with Servers(args, pair_and_plain()) as servers:
        return in_turns(args, servers, workloads)


def tell_reads(samples):
    rows = []
    for workload in tables.order(samples, 'workload'):
        found = ratio(samples, workload, 'mirror', 'plain')
        rows.append((workload, str(found.count), tables.spread(found)) +
                    tuple(tables.spread(ratio(
                        samples, workload, 'mirror', 'plain',
                        lambda s, w=who: s['cpu_us'][w] / s['operations']))
                        for who in ('owner', 'client')))
    return tables.table(('workload', 'rounds', 'speed ÷ plain',
                         "server's CPU ÷ plain", "client's CPU ÷ plain"),
                        rows)
