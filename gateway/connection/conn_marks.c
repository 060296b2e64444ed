#include "gateway/connection/conn_marks.h"

#include <stdlib.h>

#define CHUNK_BITS  9u
#define CHUNK_ITEMS (1u << CHUNK_BITS)

static int make_row(struct conn_marks *table, uint32_t count) {
    /* an array of pointers: NOLINTNEXTLINE(bugprone-sizeof-expression) */
    struct revocation_marks **chunks = realloc(table->chunks, count * sizeof *chunks);
    if (chunks == NULL) {
        return -ENOMEM;
    }
    for (uint32_t i = table->chunk_count; i < count; i++) {
        chunks[i] = NULL;
    }
    table->chunks = chunks;
    table->chunk_count = count;
    return 0;
}

void conn_marks_done(struct conn_marks *table) {
    for (uint32_t i = 0; i < table->chunk_count; i++) {
        free(table->chunks[i]);
    }
    free(table->chunks);
    *table = (struct conn_marks){NULL, 0};
}

int conn_marks_set(struct conn_marks *table, uint32_t index, const struct revocation_marks *marks) {
    uint32_t chunk = index >> CHUNK_BITS;
    if (chunk >= table->chunk_count && make_row(table, chunk + 1) != 0) {
        return -ENOMEM;
    }
    if (table->chunks[chunk] == NULL) {
        table->chunks[chunk] = calloc(CHUNK_ITEMS, sizeof *marks);
    }
    if (table->chunks[chunk] == NULL) {
        return -ENOMEM;
    }
    table->chunks[chunk][index % CHUNK_ITEMS] = *marks;
    return 0;
}

const struct revocation_marks *conn_marks_of(const struct conn_marks *table, uint32_t index) {
    return &table->chunks[index >> CHUNK_BITS][index % CHUNK_ITEMS];
}
