/* The hash table of slab indices and the slab, against simple models. */
#include "gateway/delivery/index_table.h"
#include "gateway/delivery/slab.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

#define ITEMS 3000

struct item {
    uint64_t hash;
    bool present;
    char key[16];
};
static struct item items[ITEMS];
static uint64_t hash_mask;

static uint64_t hash_of(const void *owner, uint32_t index) {
    return ((const struct item *)owner)[index].hash;
}

static bool has_key(const void *owner, uint32_t index, struct span key) {
    return span_equal(span_of(((const struct item *)owner)[index].key), key);
}

static void random_work(unsigned seed) {
    static const struct index_table_owner calls = {hash_of, has_key};
    struct index_table table;
    index_table_init(&table, &calls, items);
    srand(seed);
    for (unsigned i = 1; i < ITEMS; i++) {
        items[i].present = false;
        items[i].hash = ((uint64_t)rand() * 2654435761u) & hash_mask;
        snprintf(items[i].key, sizeof items[i].key, "key%u", i);
    }
    for (int step = 0; step < 60000; step++) {
        uint32_t index = 1 + (uint32_t)rand() % (ITEMS - 1);
        struct item *item = &items[index];
        uint32_t found = index_table_find(&table, item->hash, span_of(item->key));
        ck_assert_uint_eq(found, item->present ? index : 0);
        if (item->present) {
            index_table_remove(&table, item->hash, index);
        } else {
            ck_assert_int_eq(index_table_add(&table, item->hash, index), 0);
        }
        item->present = !item->present;
    }
    for (uint32_t i = 1; i < ITEMS; i++) {
        ck_assert_uint_eq(index_table_find(&table, items[i].hash, span_of(items[i].key)),
                          items[i].present ? i : 0);
    }
    index_table_done(&table);
}

START_TEST(entries_are_found_after_any_mix_of_adding_and_removing) {
    hash_mask = UINT64_MAX;
    random_work(1);
}
END_TEST

START_TEST(entries_whose_hashes_collide_are_told_apart_by_their_keys) {
    hash_mask = 15;
    random_work(2);
}
END_TEST

START_TEST(entries_at_the_table_end_wrap_to_its_start) {
    hash_mask = UINT64_MAX;
    static const struct index_table_owner calls = {hash_of, has_key};
    struct index_table table;
    index_table_init(&table, &calls, items);
    for (unsigned i = 1; i <= 40; i++) { /* all want the last of 64 slots */
        items[i].hash = 63;
        snprintf(items[i].key, sizeof items[i].key, "key%u", i);
        ck_assert_int_eq(index_table_add(&table, 63, i), 0);
    }
    for (unsigned i = 1; i <= 40; i++) {
        index_table_remove(&table, 63, i);
        for (unsigned j = i + 1; j <= 40; j++) {
            ck_assert_uint_eq(index_table_find(&table, 63, span_of(items[j].key)), j);
        }
    }
    index_table_done(&table);
}
END_TEST

START_TEST(a_slab_hands_out_each_index_once_and_zeroed) {
    struct slab slab;
    slab_init(&slab, 24);
    enum { COUNT = 5 * SLAB_CHUNK_ITEMS };
    static bool taken[COUNT + 2];
    memset(taken, 0, sizeof taken);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < COUNT; i++) {
            uint32_t index = slab_take(&slab);
            ck_assert_uint_ne(index, 0);
            ck_assert_uint_le(index, COUNT);
            ck_assert(!taken[index]);
            taken[index] = true;
            static const unsigned char zero[24];
            ck_assert_mem_eq(slab_at(&slab, index), zero, sizeof zero);
            memset(slab_at(&slab, index), 0xff, 24);
        }
        for (uint32_t i = 1; i <= COUNT; i++) {
            uint32_t index = round % 2 == 0 ? i : COUNT + 1 - i;
            slab_give(&slab, index);
            taken[index] = false;
        }
        ck_assert_uint_eq(slab.used, 0);
    }
    slab_done(&slab);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("index_table");
    TCase *tests = tcase_create("index_table");
    tcase_add_test(tests, entries_are_found_after_any_mix_of_adding_and_removing);
    tcase_add_test(tests, entries_whose_hashes_collide_are_told_apart_by_their_keys);
    tcase_add_test(tests, entries_at_the_table_end_wrap_to_its_start);
    tcase_add_test(tests, a_slab_hands_out_each_index_once_and_zeroed);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
