/* Ids: their shape, and that they do not repeat. */
/* System */
#include <setjmp.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
/* Third party */
#include <cmocka.h>
/* Util */
#include "util/id.h"
#include "util/x_alloc.h"

#define MANY 100000

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, ID_LEN);
}

static void ids_begin_with_their_node_and_do_not_repeat(void **state)
{
    char(*ids)[ID_LEN] = x_malloc(MANY * ID_LEN);
    (void)state;
    for (unsigned i = 0; i < MANY; i++) {
        id_make(ids[i], "nodeNODE");
        assert_memory_equal(ids[i], "nodeNODE", ID_NODE_LEN);
    }
    qsort(ids, MANY, ID_LEN, compare);
    for (unsigned i = 1; i < MANY; i++)
        assert_int_not_equal(memcmp(ids[i - 1], ids[i], ID_LEN), 0);
    x_free(ids);
}

/* All 64 characters, each about as often as any other, and no others. */
static void characters_are_those_of_base64url(void **state)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned seen[256] = {0};
    char text[ID_LEN];
    (void)state;
    for (unsigned i = 0; i < 6400; i++) {
        id_random(text, ID_LEN);
        for (unsigned k = 0; k < ID_LEN; k++)
            seen[(unsigned char)text[k]]++;
    }
    for (unsigned i = 0; i < 256; i++) {
        bool in = i && strchr(alphabet, (int)i);
        assert_int_equal(seen[i] > 0, in);
        if (in) assert_in_range(seen[i], 1700, 2300); /* 2000 expected, deviation 45 */
    }
}

static void only_the_asked_length_is_written(void **state)
{
    (void)state;
    for (size_t n = 0; n < 600; n += n < 10 ? 1 : 97) {
        char *text = x_malloc(n + 1);
        text[n] = '!';
        id_random(text, n);
        assert_int_equal(text[n], '!');
        id_random_bytes(text, n);
        assert_int_equal(text[n], '!');
        x_free(text);
    }
}

/* Processes made by fork() share a past, not a future. */
static void child_draws_ids_of_its_own(void **state)
{
    char own[ID_LEN], childs[ID_LEN];
    int fds[2], status = 0;
    (void)state;
    id_random(own, 1); /* something is left to draw from */
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    if (child == 0) {
        id_random(childs, ID_LEN);
        _exit(write(fds[1], childs, ID_LEN) == ID_LEN ? 0 : 1);
    }
    id_random(own, ID_LEN);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(read(fds[0], childs, ID_LEN), ID_LEN);
    assert_memory_not_equal(own, childs, ID_LEN);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_begin_with_their_node_and_do_not_repeat),
        cmocka_unit_test(characters_are_those_of_base64url),
        cmocka_unit_test(only_the_asked_length_is_written),
        cmocka_unit_test(child_draws_ids_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
