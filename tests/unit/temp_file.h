/* A temporary file for a test, in TMPDIR or the system's usual place. */
#ifndef PEAL_TESTS_TEMP_FILE_H
#define PEAL_TESTS_TEMP_FILE_H

#include <stdio.h>
#include <stdlib.h>

#define TEMP_PATH_MAX 512

/* Makes an empty file and writes its name; the caller closes the descriptor and unlinks. -1: failed. */
static inline int temp_file_open(char path[TEMP_PATH_MAX])
{
    const char *folder = getenv("TMPDIR");
    snprintf(path, TEMP_PATH_MAX, "%s/peal-test-XXXXXX", folder && *folder ? folder : P_tmpdir);
    return mkstemp(path);
}

#endif
