/* SipHash-1-3 against CPython 3.11, whose hash() of bytes it is (with the key that PYTHONHASHSEED
 * gives), and the keyed hash of tables. */
/* System */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* Third party */
#include <cmocka.h>
/* Util */
#include "util/hash.h"
#include "util/x_alloc.h"

/* hash(bytes(range(n))) for n = 1 … 24 */
static const struct {
    uint64_t k0, k1;
    uint64_t want[24];
} vectors[] = {
    {0,
     0,
     {UINT64_C(0x68a914128e01e473), UINT64_C(0x010bac45c41e3669), UINT64_C(0x4d4c9a4a8ef6e0ad),
      UINT64_C(0x7cc43f98813e4dbd), UINT64_C(0x5abe2169dff36275), UINT64_C(0xe3c25f87624f1cdb),
      UINT64_C(0x2f098ab0c751325a), UINT64_C(0xead411e67ebe2eea), UINT64_C(0x75927f9d95124362),
      UINT64_C(0xaf9f77a65ab51a1d), UINT64_C(0xfe64ce8b6617fcff), UINT64_C(0xa6baf4fb0f9fe1c2),
      UINT64_C(0xa0cf3211850f8e0d), UINT64_C(0x7f86049379fbfe67), UINT64_C(0xf30eb725bb91c9ea),
      UINT64_C(0x8972188433a5c5b7), UINT64_C(0x4883c49a2c009c1d), UINT64_C(0xadc2c0b63044067d),
      UINT64_C(0x091f4a3329f87d19), UINT64_C(0x639e355ae68c0100), UINT64_C(0xb17bef2cb5213239),
      UINT64_C(0xf8aeb1066236ccfe), UINT64_C(0x37332b1389daa4ff), UINT64_C(0x31185a47af932f3a)}},
    {UINT64_C(0xdc504fd368cd90af),
     UINT64_C(0xb920bb9ffe99e9c1),
     {/* PYTHONHASHSEED=42 */
      UINT64_C(0xce880c366bcf3489), UINT64_C(0xef32fbc0469f0756), UINT64_C(0xef4b9dcae9b04417),
      UINT64_C(0x79793200f3b3b3db), UINT64_C(0xbe8653fc64f95fbd), UINT64_C(0xb32b5a11619800dd),
      UINT64_C(0xce280fabc397fbda), UINT64_C(0x60866c3c108c6afb), UINT64_C(0x68814005f7469e03),
      UINT64_C(0x060a514cd0a2e301), UINT64_C(0x72f315ef14fb4b09), UINT64_C(0x550fe6ca26ef7fdd),
      UINT64_C(0x19c8185b4c3e2799), UINT64_C(0xfaa1fc2224a07929), UINT64_C(0x94ace24d68c18cf8),
      UINT64_C(0x339176f3ac59ce05), UINT64_C(0xed2706b414c296f1), UINT64_C(0xcdd77102531929e2),
      UINT64_C(0x33a51c4b838d8070), UINT64_C(0xa7dbb0b1fa0842a3), UINT64_C(0x20dfd910e0134ee5),
      UINT64_C(0xcd0fe2c8291e801e), UINT64_C(0xad71bad831e3a42d), UINT64_C(0xae431c6fb201ce8b)}},
};

static void agrees_with_cpython(void **state)
{
    (void)state;
    for (unsigned v = 0; v < 2; v++) {
        for (size_t n = 1; n <= 24; n++) {
            unsigned char *in = x_malloc(n); /* of exactly that size: the sanitizer watches */
            for (size_t i = 0; i < n; i++)
                in[i] = (unsigned char)i;
            uint64_t got = hash_siphash13(in, n, vectors[v].k0, vectors[v].k1);
            if (got != vectors[v].want[n - 1]) fail_msg("%zu bytes: %016" PRIx64, n, got);
            x_free(in);
        }
    }
}

static void unaligned_input_is_the_same(void **state)
{
    char text[40];
    (void)state;
    uint64_t want = hash_siphash13("abcdefghijklmnopqrst", 20, 1, 2);
    for (unsigned i = 0; i < 8; i++) {
        memcpy(text + i, "abcdefghijklmnopqrst", 20);
        assert_true(hash_siphash13(text + i, 20, 1, 2) == want);
    }
}

static void every_bit_of_text_and_key_counts(void **state)
{
    char text[17] = {0};
    (void)state;
    uint64_t plain = hash_siphash13(text, sizeof(text), 0, 0);
    for (unsigned bit = 0; bit < 8 * sizeof(text); bit++) {
        text[bit / 8] ^= (char)(1 << bit % 8);
        assert_true(hash_siphash13(text, sizeof(text), 0, 0) != plain);
        text[bit / 8] ^= (char)(1 << bit % 8);
    }
    for (unsigned bit = 0; bit < 64; bit++) {
        assert_true(hash_siphash13(text, sizeof(text), UINT64_C(1) << bit, 0) != plain);
        assert_true(hash_siphash13(text, sizeof(text), 0, UINT64_C(1) << bit) != plain);
    }
    assert_true(hash_siphash13(text, 16, 0, 0) != plain);
}

static void keyed_hash_is_stable_in_a_process(void **state)
{
    unsigned ones = 0;
    (void)state;
    assert_int_equal(hash_keyed("room", 4), hash_keyed("room", 4));
    assert_int_equal(hash_keyed("", 0), hash_keyed(NULL, 0));
    for (unsigned i = 0; i < 1000; i++)
        ones += (unsigned)__builtin_popcount(hash_keyed(&i, sizeof(i)));
    assert_true(ones > 15000 && ones < 17000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_cpython),
        cmocka_unit_test(unaligned_input_is_the_same),
        cmocka_unit_test(every_bit_of_text_and_key_counts),
        cmocka_unit_test(keyed_hash_is_stable_in_a_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
