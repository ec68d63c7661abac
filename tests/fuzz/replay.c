/* Runs a fuzz target over saved inputs: every regular file named, or lying in a folder named, once.
 *
 *   fuzz_NAME PATH...
 *
 * So that any compiler's build runs the corpora and past crashes as plain tests. A folder that is
 * not there is fine (no past crash yet); no input at all is a mistake, and fails. */
/* System */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
/* Util */
#include "util/x_alloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static _Noreturn void die(const char *path)
{
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    exit(1);
}

static void replay_file(const char *path, size_t size)
{
    uint8_t *data = x_malloc(size ? size : 1); /* of exactly that size, for the sanitizer */
    FILE *f = fopen(path, "rb");
    if (!f) die(path);
    size_t n = fread(data, 1, size, f);
    if (ferror(f)) die(path);
    fclose(f);
    /* names the culprit should this be the last thing heard */
    fprintf(stderr, "%s\n", path);
    LLVMFuzzerTestOneInput(data, n);
    x_free(data);
}

static unsigned replay_folder(const char *path);

/* How many inputs that were. */
static unsigned replay(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        if (errno != ENOENT) die(path);
        fprintf(stderr, "%s: not there\n", path);
        return 0;
    }
    if (S_ISDIR(st.st_mode)) return replay_folder(path);
    if (!S_ISREG(st.st_mode)) return 0;
    replay_file(path, (size_t)st.st_size);
    return 1;
}

static unsigned replay_folder(const char *path)
{
    struct dirent **entries;
    unsigned inputs = 0;
    int n = scandir(path, &entries, NULL, alphasort);
    if (n < 0) die(path);
    for (int i = 0; i < n; i++) {
        char *inner = x_asprintf("%s/%s", path, entries[i]->d_name);
        struct stat st;
        if (stat(inner, &st) == 0 && S_ISREG(st.st_mode)) inputs += replay(inner);
        x_free(inner);
        x_free(entries[i]);
    }
    x_free(entries);
    return inputs;
}

int main(int argc, char **argv)
{
    unsigned inputs = 0;
    for (int i = 1; i < argc; i++)
        inputs += replay(argv[i]);
    printf("%u inputs\n", inputs);
    if (inputs == 0) fprintf(stderr, "no input: nothing was tested\n");
    return inputs ? 0 : 1;
}
