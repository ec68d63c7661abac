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
