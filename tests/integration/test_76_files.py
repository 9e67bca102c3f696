# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain files that both nodes need."""

import json

A, B = '/etc/a.pem', '/etc/b.pem'
CONF = {'fs': 'ext4', 'options': 'mirror:files = %s %s' % (A, B)}


def put(lab, node, path, text):
    lab.on(node, 'sh', '-c', 'echo %s >%s' % (text, path))


def get(lab, node, path):
    return lab.on(node, 'cat', path, check=False).strip()


def sync(lab, node):
    """State of each file against the other node."""
    out = lab.on(node, 'mirrorctl', 'files', '--sync', '--json', check=False)
    return {one['file']: one['state'] for one in json.loads(out)}


def reasons(lab, node):
    out = lab.on(node, 'mirrorctl', 'check-takeover', 'ALPHA', '--json',
                 check=False)
    return [one['id'] for one in json.loads(out)['reasons']]


def test_files_are_fetched_where_they_did_not_change(lab):
    """Who has not changed a file takes the other's; when both have, neither is
    overwritten, and it is told.

    R6: only files of the list are given away. Seen to fail with a node that
    always takes the other's.
    """
    put(lab, 'n0', A, 'first')
    lab.on('n0', 'chmod', '640', A)
    lab.on('n0', 'chown', '2001:2001', A)
    assert 'file-missing' in reasons(lab, 'n1')
    assert sync(lab, 'n1')[A] == 'copied'
    assert get(lab, 'n1', A) == 'first'
    assert lab.on('n1', 'stat', '-c', '%a %u:%g', A).strip() == \
        '640 2001:2001'
    assert sync(lab, 'n0')[A] == 'same'

    # It changed on n1: n0 takes it, and n1 does not take the old one.
    put(lab, 'n1', A, 'second')
    assert 'file-differs' in reasons(lab, 'n1')
    assert sync(lab, 'n1')[A] == 'newer here'
    assert get(lab, 'n1', A) == 'second'
    assert sync(lab, 'n0')[A] == 'copied'
    assert get(lab, 'n0', A) == 'second'
    assert sync(lab, 'n1')[A] == 'same'
    assert 'file-differs' not in reasons(lab, 'n1')

    # On both, also with clocks that speak for one of them.
    put(lab, 'n0', A, 'mine')
    put(lab, 'n1', A, 'mine-too')
    lab.on('n1', 'touch', '-d', '2040-01-01', A)
    for node in ('n0', 'n1', 'n0', 'n1'):
        assert sync(lab, node)[A] == 'differs'
    assert get(lab, 'n0', A) == 'mine' and get(lab, 'n1', A) == 'mine-too'
    assert 'file-differs' in reasons(lab, 'n0')
    told = [line for line in lab.on('n0', 'mirrorctl', 'log').split('\n')
            if ' M074 ' in line]
    assert len(told) == 1, told
    # The administrator decides.
    put(lab, 'n1', A, 'mine')
    assert sync(lab, 'n0')[A] == 'same'

    # What is not in the list is not given away, nor written through a link.
    put(lab, 'n0', B, 'target')
    lab.on('n1', 'sh', '-c', 'ln -s /etc/elsewhere %s' % B)
    assert sync(lab, 'n1')[B] == 'not copied'
    assert not lab.ok('n1', 'test', '-e', '/etc/elsewhere')
    lab.on('n1', 'rm', B)

    # ctdb's event does it, too.
    lab.on('n1', 'sh', '-c', 'echo CTDB_MIRROR_FILES_SECONDS=1 '
           '>/etc/ctdb/events/legacy/70.mirror-files.options; '
           'ctdb event script enable legacy 70.mirror-files')
    lab.wait('fetched', lambda: get(lab, 'n1', B) == 'target', 30)
