# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark's client does what it says, and leaves nothing behind."""

import json
import os
import subprocess

from lab import ADDRESS, TOP

CONF = {'fs': 'ext4'}

BENCH = os.path.join(TOP, 'build/tests/mirror-bench')
SHARE = '//%s/alpha' % ADDRESS['ALPHA']
FOLDER = '/srv/alpha/share/bench'
# Bytes of an operation; None: what is read or written differs.
WORKLOADS = {
    'write-sequential': 65536, 'write-random': 65536,
    'read-sequential': 65536, 'read-random': 65536,
    'create': 4096, 'open-close': 0, 'rename': 0, 'unlink': 0, 'mkdir': 0,
    'set-attributes': 0, 'set-acl': 0, 'list': None, 'tree': None,
    'hold': 4096,
}


def bench(lab, *args):
    return json.loads(lab.on('client', BENCH, *args, SHARE))


def is_there(lab, path):
    return lab.ok('n0', 'test', '-e', path)


def counts(lab):
    """Records that smbd sent, and their bytes."""
    volume = lab.status('n0')['alpha']
    return volume['records_sent'], volume['bytes_sent']


def test_bench_workloads(lab):
    """Every workload does what it says, without an error, and cleans up.

    Seen to fail with a folder that is not removed, and with a rename to the
    name that the file has.
    """
    help_text = lab.on('client', BENCH, check=False)
    known = {line.split()[0] for line in
             help_text.split('workloads:\n')[1].splitlines()}
    assert known == set(WORKLOADS), known
    for workload, size in WORKLOADS.items():
        for args in (('-q', '1', '-c', '1'), ('-q', '8', '-c', '2')):
            result = bench(lab, *args, '-t', '1', '-n', '100', '-m', '8',
                           '-f', '50', workload)
            what = (workload, args, result)
            assert result['workload'] == workload, what
            assert result['operations'] > 0, what
            assert result['errors'] == 0, what
            assert 0 < result['seconds'] < 5, what
            if size is not None:
                assert result['bytes'] == size * result['operations'], what
            else:
                assert result['bytes'] > 0, what
            latency = [result['latency_us'][key]
                       for key in ('min', 'p50', 'p90', 'p99', 'max')]
            assert latency == sorted(latency) and latency[0] > 0, what
            assert not is_there(lab, FOLDER), what


def test_bench_content(lab):
    """What it says that it wrote is on the volume, block by block.

    Seen to fail with writes that all go to offset 0.
    """
    result = bench(lab, '-k', '-q', '8', '-n', '100', '-s', '64k',
                   'write-sequential')
    try:
        assert result['operations'] == 100, result
        assert result['bytes'] == 100 * 65536, result
        lab.on('n0', 'cp', FOLDER + '/c0/data', '/shared/bench-data')
        with open(os.path.join(lab.folder, 'shared/bench-data'),
                  'rb') as data:
            content = data.read()
        assert len(content) == 100 * 65536, len(content)
        for block in range(len(content) // 4096):
            at = block * 4096
            number = int.from_bytes(content[at:at + 8], 'little')
            assert number == block, (number, block)
            # Neither the same all over nor zeros.
            assert len(set(content[at + 8:at + 4096])) > 200, block
    finally:
        lab.on('n0', 'rm', '-r', FOLDER)


def test_bench_counts(lab):
    """Operations are as many as it says, of all clients together.

    Seen to fail with a client that takes one operation more than is left.
    """
    result = bench(lab, '-k', '-q', '4', '-c', '3', '-n', '500', 'create')
    try:
        assert result['operations'] == 500, result
        files = lab.on('n0', 'find', FOLDER, '-type', 'f', '-size', '4096c')
        assert len(files.splitlines()) == 500, len(files.splitlines())
    finally:
        lab.on('n0', 'rm', '-r', FOLDER)
    before = counts(lab)
    result = bench(lab, '-n', '300', 'open-close')
    assert result['operations'] == 300, result
    # 64 files are made and removed before and after it.
    assert counts(lab)[0] - before[0] < 64 * 10, (before, counts(lab))


def test_bench_failures(lab):
    """A failure is told, with its reason, and by the exit status.

    Seen to fail with an exit status that is always 0, and with rounds that go
    on while there is time, however little.
    """
    for args, message in (
            (('-u', 'tester%wrong', 'create', SHARE), 'LOGON_FAILURE'),
            (('create', SHARE + 'x'), 'BAD_NETWORK_NAME'),
            (('-s', '5000', 'write-random', SHARE), 'no multiple of 4k'),
            (('dance', SHARE), 'no such workload'),
            (('-t', '0.0000001', 'create', SHARE),
             'before anything was measured')):
        done = subprocess.run(
            (lab.testbed, 'exec', 'client', BENCH, '-t', '0.2') + args,
            env=lab.env, stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        assert done.returncode != 0, (args, done)
        assert message in done.stderr, (args, done)
    # What somebody else put there is not touched.
    lab.smbclient('mkdir bench; mkdir bench/c0; mkdir bench/c0/mine')
    try:
        out = lab.on('client', BENCH, '-t', '0.2', 'create', SHARE,
                     check=False)
        assert 'NAME_COLLISION' in out, out
        assert is_there(lab, FOLDER + '/c0/mine'), out
    finally:
        lab.smbclient('rmdir bench/c0/mine; rmdir bench/c0; rmdir bench')


def test_bench_is_ended(lab):
    """SIGTERM is the end of the time: a result, and nothing is left.

    Seen to fail without a handler.
    """
    log_path = os.path.join(lab.folder, 'shared/bench.log')
    with open(log_path, 'w') as log:
        process = lab.start(BENCH, '-t', '100', '-c', '2', '-q', '4',
                            '-d', 'ended', 'mkdir', SHARE, output=log)
        # In the middle of a round.
        lab.wait('it works', lambda: lab.ok(
            'n0', 'test', '-e', '/srv/alpha/share/ended/c0/d0/n0'))
        lab.on('client', 'pkill', '-TERM', '-o', '-f', 'mirror-bench')
        assert process.wait(timeout=30) == 0, open(log_path).read()
    with open(log_path) as log:
        result = json.loads(log.read())
    assert result['operations'] > 0 and result['errors'] == 0, result
    assert not is_there(lab, '/srv/alpha/share/ended')
