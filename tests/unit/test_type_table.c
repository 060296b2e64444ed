/* The types that routes own, as ingest writes them and workers ask for them. */
#include "shm/type_table.h"
#include "tests/shm_fixture.h"
#include "tests/unit/unit.h"

static struct segment segment;

static void setup(void) {
    fixture_open(&segment, SEGMENT_RING_MIN_BYTES, 1);
}

static void teardown(void) {
    fixture_close(&segment);
}

START_TEST(nothing_is_owned_before_ingest_has_come) {
    ck_assert(!type_table_has(&segment, SPAN_LITERAL("fill")));
    ck_assert(!type_table_has(&segment, SPAN_LITERAL("")));
}
END_TEST

START_TEST(a_type_is_owned_whole_and_no_other) {
    const struct span types[] = {SPAN_LITERAL("fill"), SPAN_LITERAL("price_update")};

    type_table_set(&segment, types, 2);
    ck_assert(type_table_has(&segment, SPAN_LITERAL("fill")));
    ck_assert(type_table_has(&segment, SPAN_LITERAL("price_update")));
    ck_assert(!type_table_has(&segment, SPAN_LITERAL("fil")));
    ck_assert(!type_table_has(&segment, SPAN_LITERAL("fills")));
    ck_assert(!type_table_has(&segment, SPAN_LITERAL("Fill")));
}
END_TEST

START_TEST(new_routes_replace_the_old_ones) {
    const struct span before[] = {SPAN_LITERAL("fill"), SPAN_LITERAL("gone")};

    type_table_set(&segment, before, 2);
    type_table_set(&segment, before, 1);
    ck_assert(type_table_has(&segment, SPAN_LITERAL("fill")));
    ck_assert(!type_table_has(&segment, SPAN_LITERAL("gone")));
}
END_TEST

START_TEST(a_full_table_of_the_longest_types_is_searched_to_its_end) {
    static char text[TYPE_MAX][TYPE_MAX_BYTES + 1];
    struct span types[TYPE_MAX];

    for (unsigned i = 0; i < TYPE_MAX; i++) {
        snprintf(text[i], sizeof(text[i]), "%064u", i);
        types[i] = span_of(text[i]);
    }
    type_table_set(&segment, types, TYPE_MAX);
    ck_assert(type_table_has(&segment, types[0]) && type_table_has(&segment, types[TYPE_MAX - 1]));
    ck_assert(!type_table_has(&segment, SPAN_LITERAL("0")));
}
END_TEST

START_TEST(while_it_is_written_every_type_may_be_owned) {
    const struct span types[] = {SPAN_LITERAL("fill")};

    store_relaxed(&segment.types->version, 7);
    ck_assert(type_table_has(&segment, SPAN_LITERAL("anything")));
    type_table_set(&segment, types, 1); /* by the successor of the writer that was killed */
    ck_assert(!type_table_has(&segment, SPAN_LITERAL("anything")));
    ck_assert(type_table_has(&segment, SPAN_LITERAL("fill")));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("type_table");
    TCase *tests = tcase_create("type_table");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, nothing_is_owned_before_ingest_has_come);
    tcase_add_test(tests, a_type_is_owned_whole_and_no_other);
    tcase_add_test(tests, new_routes_replace_the_old_ones);
    tcase_add_test(tests, a_full_table_of_the_longest_types_is_searched_to_its_end);
    tcase_add_test(tests, while_it_is_written_every_type_may_be_owned);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
