# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the time of operations goes: mirrorctl trace."""

import json
import subprocess

from lab import Load

CONF = {'fs': 'ext4'}

OWNER_STEPS = ('smbd', 'prepare', 'lock', 'look', 'encode', 'send', 'partner',
               'receive', 'turn', 'apply', 'unlock', 'reply')
PARTNER_STEPS = ('receive', 'store', 'acknowledge')


def start_trace(lab, node, *words):
    return subprocess.Popen(
        (lab.testbed, 'exec', node, 'mirrorctl', 'trace') + words,
        env=lab.env, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def is_traced(lab, node):
    return lab.status(node)['alpha']['traced']


def answer(process):
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out
    return json.loads(out)['volumes'][0]


def kind(kinds, name):
    found = [k for k in kinds if k['name'] == name]
    assert found, (name, [k['name'] for k in kinds])
    return found[0]


def steps(of):
    return {step['name']: step for step in of['steps']}


def test_trace_says_where_the_time_goes(lab):
    """Both nodes tell their steps, and the steps are the whole.

    Seen to fail with mark_acknowledged() that notes no time, and with
    partner_trace_acknowledged() that adds nothing to the ring.
    """
    load = Load(lab, 'traced')
    lab.wait('clients work', lambda: load.acknowledged() > 20)
    traces = [start_trace(lab, node, 'alpha', '--seconds', '4', '--json')
              for node in ('n0', 'n1')]
    lab.wait('traced', lambda: is_traced(lab, 'n0') and is_traced(lab, 'n1'))
    owner, partner = (answer(trace) for trace in traces)
    load.stop()
    assert not load.verify()['text']

    write = kind(owner['owner'], 'write')
    assert write['count'] > 20 and owner['lost'] == 0, owner
    by_name = steps(write)
    for name in OWNER_STEPS:
        assert name in by_name, (name, write)
    # Not all of them have every step, so: sums, not means.
    total = sum(step['mean'] * step['count'] for step in write['steps'])
    whole = write['whole']['mean'] * write['whole']['count']
    assert abs(total / whole - 1) < 0.01, (total, whole)
    # That the middles of the steps make the middle of the whole holds on a
    # machine with nothing else to do only; this holds on any.
    for step in write['steps'] + [write['whole']]:
        assert 0 < step['p50'] <= step['p90'] <= step['p99'] <= step['max']
        # Half of all is at least the middle, which is up to 1/8 too large.
        assert step['p50'] <= 2.25 * step['mean'], step

    stored = kind(partner['partner'], 'write')
    by_name = steps(stored)
    for name in PARTNER_STEPS:
        assert name in by_name, (name, stored)
    assert not partner['owner'] and not owner['partner']
    # What the partner does is a part of what the owner waits for.
    assert 0 < stored['whole']['p50'] < write['whole']['p50'], (stored, write)
    ratio = stored['count'] / write['count']
    assert 0.5 < ratio < 2, (stored['count'], write['count'])

    create = kind(owner['requests'], 'create')
    assert create['operations'] >= create['count'], create
    mine = steps(create)['mirror']
    assert 0 < mine['mean'] < create['whole']['mean'], create
    assert not is_traced(lab, 'n0') and not is_traced(lab, 'n1')


def test_trace_goes_off_by_itself(lab):
    """Whoever traces may be killed: nobody is traced for ever.

    Seen to fail with trace_has_time() that is always true.
    """
    for signal in ('KILL', 'TERM'):
        trace = start_trace(lab, 'n0', 'alpha', '--seconds', '600')
        lab.wait('traced', lambda: is_traced(lab, 'n0'))
        lab.on('n0', 'pkill', '-' + signal, '-x', 'mirrorctl')
        out, _ = trace.communicate(timeout=60)
        lab.wait('not traced', lambda: not is_traced(lab, 'n0'), seconds=10)
        # Told to end, it tells what it has.
        assert signal == 'KILL' or 'volume alpha' in out, out
