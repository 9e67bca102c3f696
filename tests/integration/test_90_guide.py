# SPDX-License-Identifier: GPL-3.0-or-later
"""The administrator's guide, followed word by word on two bare nodes, and its
words compared with the product."""

import os
import re

import lab as lab_module
from guide import SUBSTITUTES, Guide
from lab import TOP, Load, say

CONF = None
DOCS = os.path.join(TOP, 'docs')
PAGES = ('guide.md', 'guide-operation.md')
ADDRESS = {'FILES': '10.77.0.200', 'MEDIA': '10.77.0.201'}
HOME = {'FILES': 'n0', 'MEDIA': 'n1'}
USER = 'anna%secret'


class Actions:
    """What the guide tells in words only: the power, and to look."""

    def __init__(self, lab):
        self.lab = lab
        self.guide = Guide(lab, self)
        self.cuts = 0

    def check_at_home_and_mirrored(self):
        for service, node in HOME.items():
            self.lab.wait('%s at home' % service,
                          lambda s=service, n=node: self.lab.owner(s) == n,
                          180)
        self.lab.wait_mirrored([s.lower() for s in HOME], 180)

    def do_power_cut(self, node):
        """With clients that write; nothing that was acknowledged is lost."""
        self.cuts += 1
        loads = [Load(self.lab, 'guide-%s' % service, service, clients=2,
                      user=USER) for service in HOME]
        for load in loads:
            self.lab.wait('the load works',
                          lambda l=load: l.acknowledged() > 50, 180)
        self.lab.tb('crash', node)
        for service in HOME:
            self.lab.wait('%s is taken over' % service,
                          lambda s=service: self.lab.owner(s) not in
                          (None, node), 180)
        for load in loads:
            before = load.acknowledged()
            self.lab.wait('the load goes on', lambda l=load, b=before:
                          l.acknowledged() > b + 20, 180)
        for load in loads:
            load.stop()
        for load in loads:
            result = load.verify()
            assert result['lost'] == 0 and result['unexpected'] == 0, result

    def do_power_on(self, node):
        """systemd starts what is enabled."""
        self.lab.tb('boot', node)
        code, said = self.guide.shell(
            node, 'for u in mirror-arpd ctdb; do '
            'if [ -e /etc/testbed-enabled/$u ]; then systemctl start $u; fi; '
            'done')
        assert code == 0, said


def bare(lab):
    """Two nodes that have the product's files and nothing of its
    configuration: no identity addresses either, and no routes to them."""
    lab.down()
    lab.env['DISKS'] = '3'
    lab.env['ROUTES'] = 'none'
    lab.tb('up', '2')
    for pnn, node in enumerate(('n0', 'n1')):
        lab.on(node, 'ip', 'addr', 'del', '10.255.0.%d/32' % (pnn + 1),
               'dev', 'lo')
        lab.on(node, 'sh', '-c', 'echo "10.77.0.10 n0\n10.77.0.11 n1" '
               '>>/etc/hosts')


def test_guide_word_by_word(lab):
    """Who follows the guide has a pair that is healthy, mirrors, moves, and
    survives a power cut with nothing lost.

    Seen to fail with "smbpasswd -a anna" taken out of the guide.
    """
    bare(lab)
    lab_module.ADDRESS.update(ADDRESS)
    try:
        actions = Actions(lab)
        for node in ('n0', 'n1'):
            actions.guide.stand_ins(node)
        for page in PAGES:
            path = os.path.join(DOCS, page)
            if os.path.exists(path):
                actions.guide.run(path)
        finished(lab, actions)
    finally:
        for service in ADDRESS:
            del lab_module.ADDRESS[service]
        del lab.env['ROUTES']
    for line in actions.guide.skipped:
        say('        skipped: ' + line)
    for line in sorted(actions.guide.substituted):
        say('        replaced: %s: by: %s' % (line, SUBSTITUTES[line]))


def finished(lab, actions):
    """The pair that the guide has left."""
    assert actions.cuts > 0
    assert actions.guide.substituted == set(SUBSTITUTES)
    actions.check_at_home_and_mirrored()
    for node in ('n0', 'n1'):
        assert lab.ok(node, 'mirrorctl', 'health')
        assert 'Banning node' not in lab.log(node)
        if 'check-takeover' in verbs():
            for service in HOME:
                said = lab.on(node, 'mirrorctl', 'check-takeover', service)
                say('        ' + said.strip())


# -------------------------------------------------------- words of the guide

def read(*names):
    return ''.join(open(os.path.join(TOP, name)).read() for name in names)


def manuals():
    """The manual pages without their markup."""
    return ''.join(read('docs/' + name).replace('\\-', '-')
                   .replace('\\fI', '').replace('\\fB', '')
                   .replace('\\fP', '').replace('\\fR', '')
                   for name in sorted(os.listdir(DOCS))
                   if name.endswith('.8'))


def guide_text():
    return read(*['docs/' + name for name in sorted(os.listdir(DOCS))
                  if re.match(r'guide.*\.md$', name)])


def verbs():
    return set(re.findall(r'^\t\{ "([a-z-]+)", \d+, \d+, \w+ \}',
                          read('source/mirrord/mirrorctl.c'), re.M))


def test_guide_names_exist(lab):
    """Every event id, verb and option that the guide names is there.

    Seen to fail with M999, `mirrorctl frobnicate', an option --sometimes and
    mirror:flash in it.
    """
    text = guide_text()
    events = set(re.findall(r'\| ([A-Z]\d{3}) \|', read('docs/events.md')))
    named = set(re.findall(r'\b([LMN]\d{3})\b', text))
    assert len(named) > 10 and not named - events, named - events

    named = set(re.findall(r'mirrorctl ([a-z][a-z-]+)', text))
    assert len(named) > 2 and not named - verbs(), named - verbs()

    pages = manuals()
    for command in re.findall(r'mirrorctl [a-z][^`\n]*', text):
        for option in re.findall(r'--[a-z-]+', command):
            assert option in pages, (command, option)

    sources = read('source/common/config.c',
                   *['source/common/' + name for name in
                     os.listdir(os.path.join(TOP, 'source/common'))
                     if name.startswith('config_') and name.endswith('.c')])
    for option in re.findall(r'mirror:([A-Za-z]\w* ?[a-z ]*[a-z])', text):
        words = option.split(' ')
        if len(words) > 1 and words[0] in ('FILES', 'MEDIA', 'FILMS',
                                           'files', 'media', 'films'):
            words = words[1:]
        # "fence 0" is "fence %u" there.
        assert any(re.search(r'"%s[" ]' % ' '.join(words[:n]), sources)
                   for n in range(1, len(words) + 1)), option

    known = pages
    for folder in (os.path.join(TOP, 'ctdb-events'),
                   '/usr/share/ctdb/events/legacy'):     # ctdb's own
        for name in os.listdir(folder):
            with open(os.path.join(folder, name)) as script:
                known += script.read()
    for name in set(re.findall(r'\bCTDB_[A-Z_]+', text)):
        assert name in known, name

    for page in re.findall(r'\]\(([a-z-]+\.md)', text):
        assert os.path.exists(os.path.join(DOCS, page)), page
