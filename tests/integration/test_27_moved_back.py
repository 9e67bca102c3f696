# SPDX-License-Identifier: GPL-3.0-or-later
"""A volume that its owner released and took again within a minute, and whose
node then stands still: that it had released the volume once is no reason not to
fence it.
"""

CONF = {'fs': 'ext4'}


def test_taken_again_and_hung(lab):
    """Released, taken again by the same node, which hangs: it is fenced before
    its volume is mounted elsewhere (R11).
    """
    lab.on('n1', 'mirrorctl', 'release', 'BETA')
    lab.on('n1', 'mirrorctl', 'takeover', 'BETA')
    lab.wait('mirrored', lambda: lab.mode('n1', 'beta') == 'mirrored')
    lab.tb('hang', 'n1')
    lab.wait('taken over', lambda: '/srv/beta' in lab.on(
        'n0', 'cat', '/proc/mounts'), 60)
    # Whoever is fenced has no power any more: that comes before the mount.
    assert lab.nodes_with_power() == ['n0'], 'mounted, and not fenced'
    lab.wait('served', lambda: lab.owner('BETA') == 'n0')
    lab.smbclient('put /etc/hostname taken-again', 'BETA')
