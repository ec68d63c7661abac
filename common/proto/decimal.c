/* Usual numbers are short: their digits and the power of ten are exact doubles, and one multiplication
 * or division rounds them rightly. Others go through strtod(), from a text of bounded length: of a
 * million digits the first 40 are looked at.
 *
 * The program never sets a locale, so the C library's decimal point is the point. */

/* System */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* Proto */
#include "proto/decimal.h"

#define EXACT_DIGITS 15 /* decimal digits that every double keeps */
#define KEPT_DIGITS 40  /* of a number that goes through strtod() */
#define EXPONENT_MAX 99999
#define SHORTEST_MAX 32

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A decimal number: digits * 10^exponent. */
struct decimal {
    bool negative;
    char digits[KEPT_DIGITS];
    unsigned n;      /* kept, without zeros at either end */
    size_t digits_n; /* significant ones there were */
    int64_t exponent;
};

static void add_digit(struct decimal *d, char c, size_t *seen)
{
    if (*seen == 0 && c == '0') return;
    if (*seen < KEPT_DIGITS)
        d->digits[*seen] = c;
    else
        d->exponent++;
    if (++*seen && c != '0') d->digits_n = *seen;
}

static void read_digits(struct decimal *d, struct str_view s)
{
    bool fraction = false, less = false;
    int64_t exponent = 0;
    size_t i = 0, seen = 0;
    d->negative = s.n && s.p[0] == '-';
    d->exponent = 0;
    d->digits_n = 0;
    for (i = d->negative; i < s.n && (is_digit(s.p[i]) || s.p[i] == '.'); i++) {
        if (s.p[i] == '.') {
            fraction = true;
            continue;
        }
        if (fraction) d->exponent--;
        add_digit(d, s.p[i], &seen);
    }
    for (; i < s.n; i++) {
        if (s.p[i] == '-') less = true;
        if (is_digit(s.p[i]) && exponent <= EXPONENT_MAX) exponent = exponent * 10 + (s.p[i] - '0');
    }
    /* Zeros at the end are no digits of the number but part of its exponent. */
    size_t kept = seen < KEPT_DIGITS ? seen : KEPT_DIGITS;
    d->n = (unsigned)(d->digits_n < kept ? d->digits_n : kept);
    d->exponent += (int64_t)(kept - d->n) + (less ? -exponent : exponent);
}

/* The shortest digits that read as the same double; gives their length. */
static size_t shortest(char text[SHORTEST_MAX], double v)
{
    int n = 0;
    /* Fewer than 15 digits come out of %g by itself, but for the smallest, which have less. */
    for (int precision = isnormal(v) ? EXACT_DIGITS : 1; precision <= 17; precision++) {
        n = snprintf(text, SHORTEST_MAX, "%.*g", precision, v);
        if (strtod(text, NULL) == v) break;
    }
    return (size_t)n;
}

static bool is_given_back(const struct decimal *d, double v)
{
    char text[SHORTEST_MAX];
    struct decimal back;
    if (!isfinite(v) || d->digits_n > KEPT_DIGITS) return false;
    read_digits(&back, sv_make(text, shortest(text, v)));
    return back.n == d->n && back.exponent == d->exponent &&
           memcmp(back.digits, d->digits, d->n) == 0;
}

/* *exact is true when it comes here. */
static double value_of(const struct decimal *d, bool *exact)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    const int64_t most = sizeof(powers) / sizeof(powers[0]) - 1;
    if (d->n == 0) return d->negative ? -0.0 : 0.0;
    if (d->n <= EXACT_DIGITS && d->exponent >= -most && d->exponent <= most) {
        /* Both are exact doubles, so their product or quotient is rounded once, rightly. */
        double v = 0;
        for (unsigned i = 0; i < d->n; i++)
            v = v * 10 + (d->digits[i] - '0');
        v = d->exponent < 0 ? v / powers[-d->exponent] : v * powers[d->exponent];
        return d->negative ? -v : v;
    }
    char text[KEPT_DIGITS + 16];
    int64_t e = d->exponent;
    if (e > EXPONENT_MAX) e = EXPONENT_MAX;
    if (e < -EXPONENT_MAX) e = -EXPONENT_MAX;
    snprintf(text, sizeof(text), "%s%.*se%d", d->negative ? "-" : "", (int)d->n, d->digits, (int)e);
    double v = strtod(text, NULL);
    if (d->digits_n > EXACT_DIGITS || !isnormal(v)) *exact = is_given_back(d, v);
    return v;
}

double decimal_read(struct str_view number, bool *exact)
{
    struct decimal d;
    read_digits(&d, number);
    *exact = true;
    return value_of(&d, exact);
}

static bool write_digits(struct buf *out, bool negative, uint64_t v)
{
    char text[21], *p = text + sizeof(text);
    do
        *--p = (char)('0' + v % 10);
    while (v /= 10);
    if (negative) *--p = '-';
    return buf_add(out, p, (size_t)(text + sizeof(text) - p));
}

bool decimal_write_uint(struct buf *out, uint64_t v)
{
    return write_digits(out, false, v);
}

bool decimal_write_int(struct buf *out, int64_t v)
{
    return write_digits(out, v < 0, v < 0 ? ~(uint64_t)v + 1 : (uint64_t)v);
}

bool decimal_write(struct buf *out, double d)
{
    char text[SHORTEST_MAX];
    if (!isfinite(d)) return buf_add_sv(out, SV("null"));
    if (fabs(d) < 0x1p53 && d == (double)(int64_t)d && (d != 0 || !signbit(d)))
        return write_digits(out, d < 0, (uint64_t)fabs(d));
    return buf_add(out, text, shortest(text, d));
}
