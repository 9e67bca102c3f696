# SPDX-License-Identifier: GPL-3.0-or-later
"""Rings of 2, 3 and 4 nodes. Every node owns a volume, whose records the next
one keeps; all volumes are worked on at the same time."""

import json
import os
import subprocess

from lab import ADDRESS, FURTHER, LabError, TOP, say
from report import percentile, ratio, rate, spread, values
import measure as measuring
import tables
import variants

NODES = (2, 3, 4)
VOLUMES = ('alpha', 'beta', 'gamma', 'delta')
# name: words of mirror-bench; of those that measure in one go
WORKLOADS = {'write-random-64k': ('-s', '64k', '-q', '4', 'write-random'),
             'write-random-4k': ('-s', '4k', 'write-random'),
             'rename': ('rename',)}


class Ring(variants.Server):
    def __init__(self, nodes, args):
        variant = variants.Variant(
            'a ring of %d' % nodes, 'pair', nodes, services=str(nodes),
            data=['n%d:/srv/%s' % place for place in
                  enumerate(VOLUMES[:nodes])])
        super().__init__('ring%d' % nodes, variant, args)
        self.lab.env['DISKS'] = str(nodes)
        self.volumes = VOLUMES[:nodes]

    def up(self):
        super().up()
        self.lab.wait_mirrored(self.volumes)
        for number, volume in enumerate(self.volumes):
            state = self.lab.status('n%d' % number)[volume]
            if state['partner'] != (number + 1) % len(self.volumes):
                raise LabError('the records of %s are at n%s' % (
                    volume, state['partner']))

    def spent(self):
        """(microseconds of all nodes, of the clients, bytes of all links)"""
        groups = {name: measuring.cpu_of_group(path)
                  for name, path in self.groups().items()}
        return (sum(groups[n] for n in self.nodes()), groups['client'],
                sum(measuring.bytes_of_link(self.pid(n), 'ic')
                    for n in self.nodes()))


def start(ring, volume, words, seconds):
    return subprocess.Popen(
        [ring.lab.testbed, 'exec', 'client', 'timeout', '-k5', '100',
         os.path.join(TOP, 'build/tests/mirror-bench'), '-w', '-t',
         '%g' % seconds, *words,
         '//%s/%s' % (dict(ADDRESS, **FURTHER)[volume.upper()], volume)],
        env=ring.lab.env, text=True, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def expect(clients, line):
    for client in clients:
        said = client.stdout.readline()
        if said != line:
            client.kill()
            raise LabError('mirror-bench: %s%s' % (said,
                                                   client.stderr.read()))


def go_on(clients):
    for client in clients:
        client.stdin.write('\n')
        client.stdin.flush()


def run(ring, words, seconds):
    clients = [start(ring, v, words, seconds) for v in ring.volumes]
    try:
        expect(clients, 'ready\n')
        ring.sync()
        before = ring.spent()
        go_on(clients)
        expect(clients, 'measured\n')
        after = ring.spent()
        go_on(clients)
        results = [json.loads(c.stdout.readline()) for c in clients]
    finally:
        for client in clients:
            client.stdin.close()
            client.wait(timeout=60)
            client.stdout.close()
            client.stderr.close()
    count = sum(r['operations'] for r in results)
    nodes, client, link = (b - a for a, b in zip(before, after))
    return {'rate': sum(r['operations'] / r['seconds'] for r in results),
            'operations': count, 'nodes_us': nodes / count,
            'client_us': client / count,
            # each byte leaves one node and comes to another
            'link': link / 2 / count,
            'latency_us': {'p99': max(r['latency_us']['p99']
                                      for r in results)}}


def measure(args):
    sizes = (2, 3) if args.quick else [int(n) for n in args.nodes.split(',')]
    rings = [Ring(n, args) for n in sizes]
    samples = []
    os.makedirs(args.diskdir, exist_ok=True)
    try:
        for ring in rings:
            say('%s: %s' % (ring.name, ring.variant.text))
            ring.up()
        for number in range(args.rounds):
            for name, words in WORKLOADS.items():
                for ring in args.rng.sample(rings, len(rings)):
                    sample = dict(run(ring, words, args.seconds),
                                  round=number, workload=name,
                                  variant=ring.name)
                    ring.check()
                    samples.append(sample)
                    say('%2d  %-18s %-6s %10.1f /s' % (
                        number, name, ring.name, sample['rate']))
    finally:
        for ring in rings:
            ring.down()
    return samples


def tell(samples):
    rows = []
    names = sorted(tables.order(samples, 'variant'))
    base = names[0]
    for workload in tables.order(samples, 'workload'):
        for name in names:
            def compare(key):
                return tables.spread(ratio(samples, workload, name, base,
                                           lambda s: s[key]))
            rows.append((
                workload, name[4:],
                tables.number(percentile(list(values(
                    samples, workload, name, rate).values()), 50)),
                compare('rate'), compare('nodes_us'),
                compare('client_us'), tables.number(spread(list(values(
                    samples, workload, name,
                    lambda s: s['link']).values())).median)))
    return ('Every node owns one volume and keeps the records of the one '
            'before it; a client for each volume, all at the same time, on '
            'the same two cores. So the sum of the speeds stays at best, and '
            'what tells whether a larger ring costs anything is the CPU time '
            'of an operation.\n\n' +
            tables.table(('workload', 'nodes', 'all together, /s',
                          'speed ÷ ring of %s' % base[4:],
                          "nodes' CPU of an operation ÷",
                          "clients' CPU ÷", 'interconnect, bytes'), rows))
