/* Usual numbers are short: their digits and the power of ten are exact doubles, and one multiplication
 * or division rounds them rightly. Others go through strtod(), from a text of bounded length: of a
 * million digits the first 40 are looked at.
 *
 * Seventeen digits always tell a double from its neighbours, fifteen are always kept. So the
 * shortest form is one print of seventeen, rounded to sixteen if that still reads as the same
 * double, and then to fifteen.
 *
 * The program never sets a locale, so the C library's decimal point is the point. */

/* System */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* Proto */
#include "proto/decimal.h"

#define KEPT_DIGITS 40 /* of a number that is read */
#define EXACT_DIGITS 15
#define UNIQUE_DIGITS 17
#define UINT64_DIGITS 19 /* always fit */
#define EXPONENT_MAX 99999
#define SMALLEST_PLAIN (-5) /* exponent of what is written without one: 0.00001 */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Writes v's digits so that they end before end; gives the first. */
static char *digits_before(char *end, uint64_t v)
{
    do
        *--end = (char)('0' + v % 10);
    while (v /= 10);
    return end;
}

/* Those that are exact. */
static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* The double next to m * 10^e. */
static double scaled(uint64_t m, int64_t e)
{
    const int64_t most = sizeof(powers) / sizeof(powers[0]) - 1;
    if (m <= UINT64_C(1) << 53 && e >= -most && e <= most) {
        /* Both are exact doubles, so their product or quotient is rounded once, rightly. */
        return e < 0 ? (double)m / powers[-e] : (double)m * powers[e];
    }
    char text[48], *end = text + sizeof(text) - 1, *p = end;
    *end = '\0';
    if (e > EXPONENT_MAX) e = EXPONENT_MAX;
    if (e < -EXPONENT_MAX) e = -EXPONENT_MAX;
    p = digits_before(p, (uint64_t)(e < 0 ? -e : e));
    if (e < 0) *--p = '-';
    *--p = 'e';
    return strtod(digits_before(p, m), NULL);
}

/* Without zeros at the end, which are part of the exponent. */
static void normalize(uint64_t *m, int64_t *e)
{
    for (; *m && *m % 10 == 0; *m /= 10)
        ++*e;
}

/* --- writing */

/* v to `digits` digits, as m * 10^e; v > 0. */
static void round_to(double v, int digits, uint64_t *m, int64_t *e)
{
    char text[40], *p = text;
    *m = 0;
    snprintf(text, sizeof(text), "%.*e", digits - 1, v);
    for (; *p && *p != 'e'; p++)
        if (is_digit(*p)) *m = *m * 10 + (uint64_t)(*p - '0');
    *e = strtol(p + 1, NULL, 10) - (digits - 1);
}

/* Has v few digits behind the point, and 15 at most? Most numbers that people write have. */
static bool is_short(double v, uint64_t *m, int64_t *e)
{
    for (int k = 1; k < EXACT_DIGITS && v * powers[k] < powers[EXACT_DIGITS]; k++) {
        *m = (uint64_t)(v * powers[k] + 0.5);
        *e = -k;
        if ((double)*m / powers[k] == v) return *m < (uint64_t)powers[EXACT_DIGITS];
    }
    return false;
}

/* The shortest m * 10^e that reads as v; v > 0 and finite. */
static void shortest(double v, uint64_t *m, int64_t *e)
{
    if (is_short(v, m, e)) return;
    if (isnormal(v)) {
        round_to(v, UNIQUE_DIGITS, m, e);
        for (int digits = UNIQUE_DIGITS; digits > EXACT_DIGITS; digits--) {
            uint64_t less = (*m + 5) / 10;
            if (scaled(less, *e + 1) != v) break;
            *m = less;
            ++*e;
        }
    } else { /* the smallest have fewer digits */
        int digits = 1;
        do
            round_to(v, digits++, m, e);
        while (scaled(*m, *e) != v && digits <= UNIQUE_DIGITS);
    }
    normalize(m, e);
}

static bool write_digits(struct buf *out, bool negative, uint64_t v)
{
    char text[21], *end = text + sizeof(text), *p = digits_before(end, v);
    if (negative) *--p = '-';
    return buf_add(out, p, (size_t)(end - p));
}

bool decimal_write_uint(struct buf *out, uint64_t v)
{
    return write_digits(out, false, v);
}

bool decimal_write_int(struct buf *out, int64_t v)
{
    return write_digits(out, v < 0, v < 0 ? ~(uint64_t)v + 1 : (uint64_t)v);
}

/* m * 10^e with a point, and with an exponent if it is small or a large whole number. */
static bool write_scaled(struct buf *out, bool negative, uint64_t m, int64_t e)
{
    char digits[20], text[48], *end = digits + sizeof(digits), *p = digits_before(end, m),
                               *t = text;
    int n = (int)(end - p);
    int point = n + (int)e; /* digits before the point */
    if (negative) *t++ = '-';
    if (point > 0 && e < 0) {
        memcpy(t, p, (size_t)point);
        t += point;
        *t++ = '.';
        memcpy(t, p + point, (size_t)(n - point));
        t += n - point;
    } else if (point <= 0 && point > SMALLEST_PLAIN) {
        memcpy(t, "0.", 2);
        memset(t + 2, '0', (size_t)-point);
        t += 2 - point;
        memcpy(t, p, (size_t)n);
        t += n;
    } else {
        *t++ = p[0];
        if (n > 1) *t++ = '.';
        memcpy(t, p + 1, (size_t)(n - 1));
        t += n - 1;
        t += snprintf(t, (size_t)(text + sizeof(text) - t), "e%+d", point - 1);
    }
    return buf_add(out, text, (size_t)(t - text));
}

bool decimal_write(struct buf *out, double v)
{
    bool negative = signbit(v);
    uint64_t m;
    int64_t e;
    if (!isfinite(v)) return buf_add_sv(out, SV("null"));
    v = fabs(v);
    if (v == 0) return negative ? buf_add_sv(out, SV("-0")) : buf_add_char(out, '0');
    if (v < 0x1p53 && v == (double)(uint64_t)v) return write_digits(out, negative, (uint64_t)v);
    shortest(v, &m, &e);
    return write_scaled(out, negative, m, e);
}

/* --- reading */

struct decimal {
    char digits[KEPT_DIGITS];
    size_t seen;        /* digits, without zeros at the front */
    size_t significant; /* … and without zeros at the end */
    int64_t exponent;   /* of the last digit that is kept */
};

static void add_digit(struct decimal *d, char c)
{
    if (d->seen == 0 && c == '0') return;
    if (d->seen < KEPT_DIGITS)
        d->digits[d->seen] = c;
    else
        d->exponent++;
    d->seen++;
    if (c != '0') d->significant = d->seen;
}

static void read_digits(struct decimal *d, struct str_view s)
{
    bool fraction = false, less = false;
    int64_t exponent = 0;
    size_t i = 0;
    d->seen = d->significant = 0;
    d->exponent = 0;
    for (; i < s.n && (is_digit(s.p[i]) || s.p[i] == '.'); i++) {
        if (s.p[i] == '.') {
            fraction = true;
            continue;
        }
        if (fraction) d->exponent--;
        add_digit(d, s.p[i]);
    }
    for (; i < s.n; i++) {
        if (s.p[i] == '-') less = true;
        if (is_digit(s.p[i]) && exponent <= EXPONENT_MAX) exponent = exponent * 10 + (s.p[i] - '0');
    }
    d->exponent += less ? -exponent : exponent;
}

/* A number with more digits than a word holds. */
static double long_value(const struct decimal *d, size_t n)
{
    char text[KEPT_DIGITS + 24];
    int64_t e = d->exponent;
    if (e > EXPONENT_MAX) e = EXPONENT_MAX;
    if (e < -EXPONENT_MAX) e = -EXPONENT_MAX;
    snprintf(text, sizeof(text), "%.*se%d", (int)n, d->digits, (int)e);
    return strtod(text, NULL);
}

double decimal_read(struct str_view number, bool *exact)
{
    bool negative = number.n && number.p[0] == '-';
    struct decimal d;
    uint64_t m = 0, back;
    int64_t e, back_e;
    double v;
    read_digits(&d, negative ? sv_skip(number, 1) : number);
    *exact = true;
    if (d.significant == 0) return negative ? -0.0 : 0.0;
    size_t kept = d.seen < KEPT_DIGITS ? d.seen : KEPT_DIGITS;
    if (d.significant > UINT64_DIGITS) {
        *exact = false;
        v = long_value(&d, kept);
        return negative ? -v : v;
    }
    for (size_t i = 0; i < d.significant; i++)
        m = m * 10 + (uint64_t)(d.digits[i] - '0');
    e = d.exponent + (int64_t)(kept - d.significant);
    v = scaled(m, e);
    if (d.significant > EXACT_DIGITS || !isnormal(v)) {
        *exact = v > 0 && isfinite(v) && d.significant <= UNIQUE_DIGITS;
        if (*exact) {
            shortest(v, &back, &back_e);
            *exact = back == m && back_e == e;
        }
    }
    return negative ? -v : v;
}
