/* SipHash-2-4 against the vectors of its reference implementation (key 00..0f, input 00..n-1). */
#include "common/siphash.h"
#include "tests/unit/unit.h"

static const struct siphash_key key = {0x0706050403020100ull, 0x0f0e0d0c0b0a0908ull};

START_TEST(published_vectors_come_out) {
    static const uint64_t vectors[] = {
        0x726fdb47dd0e0e31ull, 0x74f839c593dc67fdull, 0x0d6c8009d9a94f5aull, 0x85676696d7fb7e2dull,
        0xcf2794e0277187b7ull, 0x18765564cd99a68dull, 0xcbc9466e58fee3ceull, 0xab0200f58b01d137ull,
        0x93f5f5799a932462ull, 0x9e0082df0ba9e4b0ull, 0x7a5dbbc594ddb9f3ull, 0xf4b32f46226bada7ull,
        0x751e8fbc860ee5fbull, 0x14ea5627c0843d90ull, 0xf723ca908e7af2eeull, 0xa129ca6149be45e5ull,
    };
    char input[16];

    for (size_t length = 0; length < ARRAY_LENGTH(vectors); length++) {
        ck_assert_uint_eq(siphash(&key, (struct span){input, length}), vectors[length]);
        input[length] = (char)length;
    }
}
END_TEST

START_TEST(an_empty_span_without_address_has_a_hash) {
    ck_assert_uint_eq(siphash(&key, (struct span){NULL, 0}), 0x726fdb47dd0e0e31ull);
}
END_TEST

START_TEST(another_key_gives_another_hash_and_an_odd_address_the_same) {
    struct siphash_key other = {key.k0 ^ 1, key.k1};
    char shifted[32] = "?user:alice-and-more";
    struct span text = {shifted + 1, 19};

    ck_assert_uint_ne(siphash(&key, text), siphash(&other, text));
    ck_assert_uint_eq(siphash(&key, text), siphash(&key, span_of("user:alice-and-more")));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("siphash");
    TCase *cases = tcase_create("siphash");

    suite_add_tcase(suite, cases);
    tcase_add_test(cases, published_vectors_come_out);
    tcase_add_test(cases, an_empty_span_without_address_has_a_hash);
    tcase_add_test(cases, another_key_gives_another_hash_and_an_odd_address_the_same);
    return unit_run(suite);
}
