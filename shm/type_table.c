#include "shm/type_table.h"

static uint64_t copy_count(const struct type_table *table);

void type_table_set(struct segment *segment, const struct span *types, unsigned count) {
    struct type_table *table = segment->types;
    uint64_t version = load_relaxed(&table->version), words = count;

    store_relaxed(&table->version, version | 1);
    fence_release(); /* type_table_set:A pairs with type_table_has:B */
    order_copy_in(&table->count, &words, sizeof(words));
    for (unsigned i = 0; i < count; i++) {
        struct type_name name = {.length = types[i].length};
        memcpy(name.text, types[i].data, types[i].length);
        order_copy_in(&table->names[i], &name, sizeof(name));
    }
    store_release(&table->version, (version | 1) + 1); /* type_table_set:B, type_table_has:A */
}

bool type_table_has(const struct segment *segment, struct span type) {
    const struct type_table *table = segment->types;
    uint64_t version = load_acquire(&table->version); /* type_table_has:A */
    bool found = false;

    for (uint64_t i = 0, count = copy_count(table); i < count && !found; i++) {
        struct type_name name;
        order_copy_out(&name, &table->names[i], sizeof(name));
        found = name.length == type.length && type.length <= sizeof(name.text) &&
                memcmp(name.text, type.data, type.length) == 0;
    }
    fence_acquire(); /* type_table_has:B */
    return found || (version & 1) != 0 || load_relaxed(&table->version) != version;
}

static uint64_t copy_count(const struct type_table *table) {
    uint64_t count;
    order_copy_out(&count, &table->count, sizeof(count));
    return count < TYPE_MAX ? count : TYPE_MAX;
}
