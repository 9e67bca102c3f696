# SPDX-License-Identifier: GPL-3.0-or-later
"""The cells of the split-brain matrix: which links are cut, who loses the
cluster lock, who stands still; and who must own the services then.
"""

import itertools

# Commands of testbed; H and O are the holder and the other one.
CUTS = {
    'nothing': [],
    'ic': ['lose H ic both'],
    'lan0': ['split lan0'],
    'lan1': ['split lan1'],
    'all': ['lose H ic both', 'split lan0', 'split lan1'],
    'ic-out': ['lose H ic out'],
    'ic-in': ['lose H ic in'],
    'lan0-out': ['lose H lan0 out'],
    'lan0-in': ['lose H lan0 in'],
    'all-out': ['lose H ic out', 'lose H lan0 out', 'lose H lan1 out'],
    'all-in': ['lose H ic in', 'lose H lan0 in', 'lose H lan1 in'],
    'holder-unplugged': ['unplug H ic', 'unplug H lan0', 'unplug H lan1'],
    'other-unplugged': ['unplug O ic', 'unplug O lan0', 'unplug O lan1'],
}
# Whose mailbox goes, and when: before the links, or once the holder is alone.
LOCKS = {
    'kept': ('', ''),
    'lost-holder': ('H', ''),
    'lost-other': ('O', ''),
    'lost-both': ('HO', ''),
    'lost-when-alone': ('', 'HO'),
}
STILLS = ('none', 'holder', 'other')
SEPARATE = ('all', 'all-out', 'all-in', 'holder-unplugged', 'other-unplugged')
REACHED = (('all', 'H'), ('all', 'O'), ('nothing', 'H'), ('nothing', 'O'),
           ('other-unplugged', 'H'), ('holder-unplugged', 'O'))
SAMPLE = ('all lost-holder none', 'all lost-when-alone none')


def expected(cut, lock, still):
    """Who must own both services: H, O, - (nobody need), * (who is up)."""
    if still == 'holder':
        return '-' if lock in ('lost-other', 'lost-both') else 'O'
    if still == 'other':
        return '-' if lock in ('lost-holder', 'lost-both') else 'H'
    if cut not in SEPARATE:
        return '*'
    # Who may go on reaches no client, and who does may not.
    if lock == 'lost-both' or (cut, lock) in (
            ('other-unplugged', 'lost-holder'),
            ('holder-unplugged', 'lost-other')):
        return '-'
    if lock == 'lost-holder':
        return 'O'
    if cut == 'holder-unplugged' and lock == 'kept':
        return 'O'
    if cut == 'holder-unplugged' and lock == 'lost-when-alone':
        return '-'
    return 'H'


def cells():
    for cut, lock in itertools.product(CUTS, LOCKS):
        if lock == 'lost-when-alone' and cut not in SEPARATE:
            continue
        yield cut, lock, 'none'
    for lock in ('kept', 'lost-holder', 'lost-other', 'lost-both'):
        for still in ('holder', 'other'):
            yield 'nothing', lock, still
    for still in ('holder', 'other'):
        yield 'all', 'kept', still
