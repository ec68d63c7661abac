#!/usr/bin/env bash
# Functions nobody calls, allocation outside common/util/x_alloc.c, and sleeping tests.
set -euo pipefail
. "$(dirname "$0")/lib.bash"

# grep_code PATTERN: file:line: text of calls in the files on stdin; comments and literals do not count.
grep_code() {
    xargs -r perl -0777 -e '
        my $pattern = shift;
        for my $file (@ARGV) {
            open my $in, "<", $file or die "$file: $!\n";
            my $text = <$in>;
            $text =~ s{("(?:\\.|[^"\\\n])*"|\x27(?:\\.|[^\x27\\\n])*\x27)|(/\*.*?\*/|//[^\n]*)}
                      { my $c = $2; defined $c ? $c =~ s/[^\n]//gr : q("") }gse;
            my $n = 0;
            for my $line (split /\n/, $text) {
                $n++;
                print "$file:$n: $line\n" if $line =~ /(?<![\w.>])(?:$pattern)\s*\(/;
            }
        }' "$1"
}

status=0
c_files common gateway worker cli tests |
    grep_code 'strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|gets|alloca' |
    none_of 'banned: unbounded, or hiding errors' || status=1
c_files common gateway worker cli tests | grep -v '^common/util/x_alloc\.c$' |
    grep_code 'malloc|calloc|realloc|reallocarray|free|strdup|strndup|asprintf|vasprintf' |
    none_of 'only x_alloc.c allocates: use x_malloc, x_strdup, x_free, …' || status=1
c_files tests | grep_code 'sleep|usleep|nanosleep' |
    none_of 'tests wait for events, they do not sleep' || status=1
exit $status
