# SPDX-License-Identifier: GPL-3.0-or-later
"""The ratios as a picture (SVG): a line for each workload, a dot for each
variant with a bar from quartile to quartile, marks where the targets are."""

import math
from html import escape

import report

COLOURS = ('#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9',
           '#000000')
LEFT, RIGHT, TOP, ROW, WIDTH = 170, 30, 64, 26, 760
TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)


def scale(lowest, highest):
    """A logarithmic scale from ratio to place, and its ticks."""
    low = max(t for t in TICKS if t <= lowest or t == TICKS[0])
    high = min(t for t in TICKS if t >= highest or t == TICKS[-1])
    if low == high:
        low = TICKS[TICKS.index(low) - 1]

    def place(value):
        value = min(max(value, low), high)
        share = math.log(value / low) / math.log(high / low)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    return place, [t for t in TICKS if low <= t <= high]


def text(x, y, words, anchor='start', colour='#333'):
    return '<text x="%.1f" y="%.1f" text-anchor="%s" fill="%s">%s</text>' % (
        x, y, anchor, colour, escape(words))


def line(x1, y1, x2, y2, colour, width=1.0, title=''):
    return ('<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" '
            'stroke-width="%g">%s</line>' % (
                x1, y1, x2, y2, colour, width,
                title and '<title>%s</title>' % escape(title)))


def svg(meta, samples):
    base = meta['base']
    variants = [v for v in meta['variants'] if v != base]
    found = {(w, v): report.ratio(samples, w, v, base)
             for w in meta['workloads'] for v in variants}
    known = [s for s in found.values() if s]
    if not known:
        return None
    place, ticks = scale(min(s.q1 for s in known) * 0.9,
                         max(max(s.q3 for s in known) * 1.1, 1))
    height = TOP + ROW * len(meta['workloads']) + 34
    bottom = height - 28
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" '
           'viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">' % (
               WIDTH, height, WIDTH, height),
           '<rect width="100%" height="100%" fill="#fff"/>',
           text(LEFT, 18, 'Speed as a ratio to %s: median and quartiles, '
                'rounds: %d' % (base, meta['rounds']))]
    x = LEFT
    for variant, colour in zip(variants, COLOURS):
        out.append('<circle cx="%.1f" cy="36" r="4" fill="%s"/>' % (x, colour))
        out.append(text(x + 8, 40, variant))
        x += 24 + 7 * len(variant)
    if 'mirror' in variants:
        out.append(line(x, 30, x, 42, '#333', 2))
        out.append(text(x + 8, 40, 'target of mirror'))
    for tick in ticks:
        out.append(line(place(tick), TOP - 10, place(tick), bottom,
                        '#888' if tick == 1 else '#ddd'))
        out.append(text(place(tick), bottom + 16, '%g' % tick, 'middle'))
    wanted = {(w, t.base): t.low for t in report.TARGETS
              for w in t.workloads if t.flush_ms is None}
    for index, workload in enumerate(meta['workloads']):
        y = TOP + ROW * index + ROW / 2
        out.append(text(LEFT - 10, y + 4, workload, 'end'))
        target = wanted.get((workload, base))
        if target and 'mirror' in variants:
            out.append(line(place(target), y - 9, place(target), y + 9,
                            '#333', 2, 'target of mirror: %g' % target))
        for number, variant in enumerate(variants):
            spread = found[workload, variant]
            if not spread:
                continue
            colour = COLOURS[number % len(COLOURS)]
            at = y + (number - (len(variants) - 1) / 2) * 4
            out.append(line(place(spread.q1), at, place(spread.q3), at,
                            colour, 2))
            out.append('<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s">'
                       '<title>%s</title></circle>' % (
                           place(spread.median), at, colour,
                           escape('%s, %s: %.2f' % (workload, variant,
                                                    spread.median))))
    out.append('</svg>')
    return '\n'.join(out) + '\n'
