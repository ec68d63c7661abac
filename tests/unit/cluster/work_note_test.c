/* What is noted of a socket, and read back. */
/* System */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Third party */
#include <cmocka.h>
/* Cluster */
#include "cluster/work_note.h"
#include "work_fixture.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct buf field, value, text;

static void assert_sv(struct str_view a, struct str_view b)
{
    assert_int_equal(a.n, b.n);
    if (a.n) assert_memory_equal(a.p, b.p, a.n);
}

static void note(const struct work_item *item)
{
    buf_clear(&field);
    buf_clear(&value);
    buf_clear(&text);
    assert_true(work_note_field(&field, item->nsp, item->sid));
    assert_true(work_note_value(&value, item));
}

static void a_note_is_read_back(void **state)
{
    struct work_item odd = work_fixture[WORK_EVENT], item;
    const char *why;
    (void)state;
    odd.user = SV("a\"b\\c\n");
    odd.serial = UINT64_MAX;
    const struct work_item *const all[] = {&work_fixture[WORK_EVENT], &work_fixture[WORK_CONNECT],
                                           &work_fixture[WORK_DISCONNECT], &odd};
    for (size_t i = 0; i < COUNT(all); i++) {
        note(all[i]);
        assert_true(work_note_decode(&item, buf_view(&field), buf_view(&value), &text, &why));
        assert_sv(item.nsp, all[i]->nsp);
        assert_sv(item.sid, all[i]->sid);
        assert_int_equal(item.serial, all[i]->serial);
        assert_sv(item.user, all[i]->user);
        assert_sv(item.claims, all[i]->claims);
        assert_sv(item.data, all[i]->data);
    }
}

static void it_has_this_form(void **state)
{
    (void)state;
    note(&work_fixture[WORK_DISCONNECT]);
    assert_sv(buf_view(&field), SV("/\ngateway1AAAAbbbbCCCC"));
    assert_sv(buf_view(&value),
              SV("{\"serial\":1,\"user\":\"\",\"claims\":{},\"data\":{\"room\":[1,2]}}"));
}

static void what_does_not_fit_leaves_nothing(void **state)
{
    struct buf small;
    (void)state;
    for (size_t max = 1; max < 21; max++) {
        buf_init(&small, max);
        assert_false(work_note_field(&small, SV("/"), SV("gateway1AAAAbbbbCCCC")));
        assert_false(work_note_value(&small, &work_fixture[WORK_CONNECT]));
        assert_int_equal(small.n, 0);
        buf_fini(&small);
    }
}

static void others_may_have_written_there(void **state)
{
    static const char good[] = "{\"serial\":1,\"user\":\"\",\"claims\":{},\"data\":1}";
    static const struct {
        const char *field, *value;
    } cases[] = {
        {"", good},
        {"/", good},
        {"\ns", good},
        {"/\n", good},
        {"/\xff\ns", good},
        {"/\ns", ""},
        {"/\ns", "[]"},
        {"/\ns", "{}"},
        {"/\ns", "{\"serial\":1,\"user\":\"\",\"claims\":{},\"data\":\"\xff\"}"},
        {"/\ns", "{\"serial\":1,\"user\":\"\",\"claims\":[],\"data\":1}"},
        {"/\ns", "{\"serial\":1,\"user\":null,\"claims\":{},\"data\":1}"},
        {"/\ns", "{\"serial\":1,\"user\":\"\\ud800\",\"claims\":{},\"data\":1}"},
        {"/\ns", "{\"serial\":-1,\"user\":\"\",\"claims\":{},\"data\":1}"},
        {"/\ns", "{\"serial\":18446744073709551616,\"user\":\"\",\"claims\":{},\"data\":1}"},
        {"/\ns", "{\"serial\":\"1\",\"user\":\"\",\"claims\":{},\"data\":1}"},
        {"/\ns", "{\"serial\":1,\"user\":\"\",\"claims\":{}}"},
        {"/\ns", "{\"serial\":1,\"user\":\"\",\"claims\":{},\"data\":}"},
    };
    struct work_item item;
    const char *why;
    (void)state;
    assert_true(work_note_decode(&item, SV("/\ns"), sv_of(good), &text, &why));
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_false(
            work_note_decode(&item, sv_of(cases[i].field), sv_of(cases[i].value), &text, &why));
        assert_true(why && *why);
    }
}

static int set_up(void **state)
{
    (void)state;
    buf_init(&field, 2048);
    buf_init(&value, 4096);
    buf_init(&text, 4096);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buf_fini(&field);
    buf_fini(&value);
    buf_fini(&text);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_note_is_read_back),
        cmocka_unit_test(it_has_this_form),
        cmocka_unit_test(what_does_not_fit_leaves_nothing),
        cmocka_unit_test(others_may_have_written_there),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
