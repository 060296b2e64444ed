/* libFuzzer: the index table against a plain array. Two bytes an operation: what, and which of 200 keys; hashes
 * agree in their low bits so that probes are long, wrap around and cross each other.
 * clang -fsanitize=fuzzer,address,undefined */
#include "gateway/delivery/index_table.h"

#include <stdlib.h>

#define REQUIRE(condition) ((condition) ? (void)0 : abort())
#define KEYS               200u

struct item {
    uint64_t hash;
    char key;
    bool in;
};

static struct item items[KEYS + 1]; /* by index, from 1 */

static uint64_t hash_of(const void *owner, uint32_t index) {
    (void)owner;
    REQUIRE(index >= 1 && index <= KEYS && items[index].in);
    return items[index].hash;
}

static bool has_key(const void *owner, uint32_t index, struct span key) {
    (void)owner;
    return key.length == 1 && key.data[0] == items[index].key;
}

static const struct index_table_owner calls = {hash_of, has_key};

static uint32_t find(const struct index_table *table, uint32_t index) {
    return index_table_find(table, items[index].hash, (struct span){&items[index].key, 1});
}

static void check_all(const struct index_table *table) {
    uint32_t used = 0;
    for (uint32_t index = 1; index <= KEYS; index++) {
        REQUIRE(find(table, index) == (items[index].in ? index : 0));
        used += items[index].in;
    }
    REQUIRE(table->used == used);
    REQUIRE(table->used * 4ull <= table->capacity * 3ull);
}

static void step(struct index_table *table, uint8_t what, uint32_t index) {
    struct item *item = &items[index];
    switch (what % 4) {
    case 0:
    case 1:
        if (!item->in) {
            item->in = true;
            REQUIRE(index_table_add(table, item->hash, index) == 0);
        }
        break;
    case 2:
        if (item->in) {
            index_table_remove(table, item->hash, index);
            item->in = false;
        }
        break;
    default:
        check_all(table);
    }
    REQUIRE(find(table, index) == (item->in ? index : 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) {
        return 0;
    }
    struct index_table table;
    index_table_init(&table, &calls, NULL);
    for (uint32_t index = 1; index <= KEYS; index++) {
        /* homes from one single slot to all, near the table's end */
        uint64_t home = 60 + (index & data[0]);
        items[index] =
            (struct item){.hash = (uint64_t)(index / 2) << 32 | home, .key = (char)index};
    }
    for (size_t at = 1; at + 1 < size; at += 2) {
        step(&table, data[at], 1 + data[at + 1] % KEYS);
    }
    check_all(&table);
    index_table_done(&table);
    return 0;
}
