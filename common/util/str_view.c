/* Util */
#include "util/str_view.h"

bool sv_glob(struct str_view pattern, struct str_view s)
{
    size_t pi = 0, si = 0, star = (size_t)-1, mark = 0;
    while (si < s.n) {
        if (pi < pattern.n && pattern.p[pi] == '*') {
            star = pi++;
            mark = si;
        } else if (pi < pattern.n && (pattern.p[pi] == '?' || pattern.p[pi] == s.p[si])) {
            pi++;
            si++;
        } else if (star != (size_t)-1) {
            pi = star + 1;
            si = ++mark;
        } else {
            return false;
        }
    }
    while (pi < pattern.n && pattern.p[pi] == '*')
        pi++;
    return pi == pattern.n;
}

bool sv_to_u64(struct str_view s, uint64_t max, uint64_t *out)
{
    uint64_t n = 0;
    if (s.n == 0) return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned digit = (unsigned char)s.p[i] - (unsigned)'0';
        if (digit > 9 || digit > max || n > (max - digit) / 10) return false;
        n = n * 10 + digit;
    }
    *out = n;
    return true;
}

bool sv_number(struct str_view s, uint64_t max, uint64_t *out)
{
    bool has_needless_zero = s.n > 1 && s.p[0] == '0';
    return !has_needless_zero && sv_to_u64(s, max, out);
}
