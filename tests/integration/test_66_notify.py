# SPDX-License-Identifier: GPL-3.0-or-later
"""Events reach people: by a trap, by mail, by a script; and outlive the node.

The receiver is a real snmptrapd that reads our MIB, and a mail server behind a
real mail client (msmtp, by the interface of sendmail).
"""

import os
import re

from lab import TOP
from test_65_monitor import events

CLIENT = '10.77.0.100'
CONF = {'fs': 'ext4', 'options':
        'mirror:notify trap = %s secret\n'
        'mirror:notify mail = admin@example.org\n'
        'mirror:notify rate = 8' % CLIENT}

SCRIPT = '''#!/bin/sh
echo "$MIRROR_EVENT_ID $MIRROR_EVENT_NAME $MIRROR_EVENT_SEVERITY\
 $MIRROR_EVENT_NODE $MIRROR_EVENT_TEXT" >>/shared/script.$(hostname)
'''
BAD_SCRIPT = '''#!/bin/sh
echo the pager is broken
exit 3
'''


def read(lab, name):
    try:
        with open(os.path.join(lab.folder, 'shared', name)) as text:
            return text.read()
    except OSError:
        return ''


def all_told(lab, node):
    """Has mirror-notify nothing to do?"""
    at = lab.on(node, 'cat', '/run/samba-mirror/events.at').split()
    size = lab.on(node, 'stat', '-c', '%s', '/run/samba-mirror/events')
    return at == [size.strip()] * 2


def receivers(lab):
    shared = os.path.join(lab.folder, 'shared')
    return [lab.start(os.path.join(TOP, 'tests/testbed/mail-sink'),
                      os.path.join(shared, 'mail')),
            lab.start('snmptrapd', '-f', '-Lf', os.path.join(shared, 'traps'),
                      '-C', '--disableAuthorization=yes', '-M', '%s:%s' % (
                          os.path.join(TOP, 'tests/testbed/mibs'),
                          os.path.join(TOP, 'conf')),
                      '-m', 'SAMBA-MIRROR-MIB',
                      'udp:%s:162' % CLIENT)]


def write(lab, node, path, text):
    lab.on(node, 'sh', '-c', 'mkdir -p "${1%/*}"; printf %s "$2" >"$1"; '
           'chmod 755 "$1"', 'sh', path, text)


def test_traps_mail_and_scripts(lab):
    """An event is told in each of the ways that are configured, by name and
    with the node; what is not bad enough, or too much, is not sent; a way that
    fails is told by the others; and the log outlives a power cut.

    Seen to fail with a severity that is not compared, with a rate that is not
    kept, and with events that stay in memory.
    """
    mib = os.path.join(TOP, 'conf/SAMBA-MIRROR-MIB.txt')
    assert lab.run('env', 'SMIPATH=' + os.path.join(TOP, 'tests/testbed/mibs'),
                   'smilint', '-l', '3', mib) == ''
    started = receivers(lab)
    try:
        for node in ('n0', 'n1'):
            write(lab, node, '/etc/msmtprc', 'account default\nhost %s\n'
                  'port 25\nfrom root@%s\n' % (CLIENT, node))
            lab.on(node, 'ln', '-sf', '/usr/bin/msmtp', '/usr/sbin/sendmail')
            write(lab, node, '/etc/samba/mirror/notify.d/10-tell', SCRIPT)
        lab.wait('snmptrapd listens', lambda: ':162 ' in lab.on(
            'client', 'ss', '-lun'))
        lab.on('n0', 'mirrorctl', 'event', 'link-up', 'not for people')
        lab.on('n0', 'mirrorctl', 'notify-test')
        lab.wait('the trap', lambda: 'M095' in read(lab, 'traps'))
        trap = [line for line in read(lab, 'traps').splitlines()
                if 'M095' in line][0]
        for part in ('SAMBA-MIRROR-MIB::sambaMirrorEvent',
                     'SAMBA-MIRROR-MIB::sambaMirrorEventSeverity.0 = '
                     'INTEGER: crit(2)',
                     'sambaMirrorEventNode.0 = STRING: n0',
                     'a test of traps'):
            assert part in trap, trap
        lab.wait('the mail', lambda: '=== end' in read(lab, 'mail'))
        mail = read(lab, 'mail')
        assert 'Subject: [samba-mirror n0] crit: M095 notify-test' in mail
        assert 'To: admin@example.org' in mail
        assert 'What to do: ' in mail
        lab.wait('the script', lambda: 'M095 notify-test crit n0 a test' in
                 read(lab, 'script.n0'))

        # What arpd says goes the same way, from both ends of the cable.
        lab.tb('unplug', 'n0', 'ic')
        for node in ('n0', 'n1'):
            lab.wait('%s tells' % node, lambda n=node: re.search(
                'N01[123] path-.* warning ' + n, read(lab, 'script.' + n)))
        lab.tb('plug', 'n0', 'ic')
        write(lab, 'n1', '/etc/samba/mirror/notify.d/20-bad', BAD_SCRIPT)
        lab.on('n1', 'mirrorctl', 'notify-test')
        lab.wait('its failure', lambda: 'exit status 3 (the pager is broken)'
                 in read(lab, 'script.n1'))

        # Too many: not sent, but kept.
        for _ in range(20):
            lab.on('n0', 'mirrorctl', 'notify-test')
        lab.wait('all are seen to', lambda: all_told(lab, 'n0'))
        told = read(lab, 'script.n0')
        assert told.count('M095') < 20, told
        assert 'not for people' not in told + read(lab, 'traps') + mail
        lab.tb('crash', 'n0')
        # Booted sooner, it would be what n1 cuts off.
        lab.wait('n1 has both', lambda: lab.owner('ALPHA') == 'n1')
        lab.tb('boot', 'n0')
        kept = lab.wait('the log can be read', lambda: [
            e['id'] for e in events(lab, 'n0')])
        assert kept.count('M095') == 21, kept
        assert 'M005' in kept, kept
    finally:
        for process in started:
            process.terminate()
