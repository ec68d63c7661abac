"""Plots as SVG, with no library: dots with their spread on a logarithmic scale, and lines."""

import math
from xml.sax.saxutils import escape

COLOURS = {"Floor": "#7f8c8d", "Peal": "#1f6fb2", "Node": "#d9822b"}
FONT = 'font-family="Helvetica,Arial,sans-serif"'
WIDTH, RIGHT, TOP, BOTTOM = 860, 36, 74, 52
ROW, LETTER = 34, 6.6  # a row's height; the width of a letter, about


class Picture:
    def __init__(self, height, title, about):
        self.height = height
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}" {FONT}>',
            f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>']
        self.text(20, 26, title, size=16, weight="bold")
        self.text(20, 46, about, size=12, colour="#555555")

    def text(self, x, y, words, size=12, anchor="start", colour="#222222", weight="normal"):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" '
                          f'text-anchor="{anchor}" font-weight="{weight}">{escape(words)}</text>')

    def line(self, x1, y1, x2, y2, colour="#dddddd", width=1.0):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
                          f'stroke="{colour}" stroke-width="{width}" stroke-linecap="round"/>')

    def dot(self, x, y, colour, radius=5.0):
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}"/>')

    def path(self, points, colour):
        steps = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polyline points="{steps}" fill="none" stroke="{colour}" '
                          f'stroke-width="2"/>')

    def legend(self, names, y):
        x = WIDTH - RIGHT - 80 * len(names)
        for name in names:
            self.dot(x, y - 4, COLOURS[name])
            self.text(x + 10, y, name)
            x += 80

    def done(self):
        return "\n".join(self.parts + ["</svg>", ""])


def plain(value):
    return f"{value:g}" if value < 10000 else f"{value:,.0f}".replace(",", " ")


def dots(title, about, rows, unit):
    """rows: (name, {server: [values]}); a dot is the median, the line goes from the least to the
    greatest."""
    values = [v for _, servers in rows for vs in servers.values() for v in vs if v > 0]
    low = math.floor(math.log10(min(values)) * 2) / 2
    high = math.ceil(math.log10(max(values)) * 2) / 2
    picture = Picture(TOP + ROW * len(rows) + BOTTOM, title, about)
    left = 32 + LETTER * max(len(name) for name, _ in rows)
    bottom = TOP + ROW * len(rows)

    def x_of(value):
        return left + (math.log10(value) - low) / (high - low) * (WIDTH - left - RIGHT)

    for exponent in range(math.floor(low), math.ceil(high) + 1):
        for digit in (1, 2, 5):
            tick = digit * 10.0 ** exponent
            if low - 1e-9 <= math.log10(tick) <= high + 1e-9:
                picture.line(x_of(tick), TOP, x_of(tick), bottom,
                             "#cccccc" if digit == 1 else "#eeeeee")
                picture.text(x_of(tick), bottom + 18, plain(tick), 11, "middle", "#555555")
    picture.text((left + WIDTH - RIGHT) / 2, bottom + 38, unit, 12, "middle", "#555555")
    for i, (name, servers) in enumerate(rows):
        y = TOP + ROW * (i + 0.5)
        if i:
            picture.line(20, y - ROW / 2, WIDTH - RIGHT, y - ROW / 2, "#f2f2f2")
        picture.text(left - 12, y + 4, name, 12, "end")
        for k, (server, numbers) in enumerate(servers.items()):
            numbers = sorted(v for v in numbers if v > 0)
            if numbers:
                at = y + (k - (len(servers) - 1) / 2) * 7
                picture.line(x_of(numbers[0]), at, x_of(numbers[-1]), at, COLOURS[server], 2)
                picture.dot(x_of(numbers[len(numbers) // 2]), at, COLOURS[server], 4.5)
    picture.legend(sorted({s for _, servers in rows for s in servers}, key=list(COLOURS).index), 46)
    return picture.done()


def nice_step(most):
    """Of four to eight ticks up to there."""
    step = 10.0 ** math.floor(math.log10(most))
    for divisor in (5, 4, 2, 1):
        if most / (step / divisor) <= 8:
            return step / divisor
    return step


def lines(title, about, series, x_name, y_name, breaks=()):
    """series: {server: [(x, y)]}, both axes from 0; breaks: where a thin line stands."""
    left, height = 76, 380
    bottom = height - BOTTOM
    most_x = max(x for points in series.values() for x, _ in points)
    most_y = max(y for points in series.values() for _, y in points) * 1.1
    picture = Picture(height, title, about)

    def at(x, y):
        return (left + x / most_x * (WIDTH - left - RIGHT), bottom - y / most_y * (bottom - TOP))

    step = nice_step(most_y)
    for i in range(int(most_y / step) + 1):
        _, y = at(0, i * step)
        picture.line(left, y, WIDTH - RIGHT, y)
        picture.text(left - 8, y + 4, plain(i * step), 11, "end", "#555555")
    step = max(1, nice_step(most_x))
    for i in range(int(most_x / step) + 1):
        x, _ = at(i * step, 0)
        picture.text(x, bottom + 18, plain(i * step), 11, "middle", "#555555")
    for place in breaks:
        x, _ = at(place, 0)
        picture.line(x, TOP, x, bottom, "#bbbbbb")
    picture.text((left + WIDTH - RIGHT) / 2, bottom + 38, x_name, 12, "middle", "#555555")
    picture.text(left, TOP - 8, y_name, 12, "start", "#555555")
    for server, points in series.items():
        picture.path([at(x, y) for x, y in points], COLOURS[server])
        if len(points) <= 20:
            for x, y in points:
                picture.dot(*at(x, y), COLOURS[server], 3.5)
    picture.legend(list(series), 46)
    return picture.done()
