/* The uplink's queue as an enemy could have left it: any words, any entries. Ingest must never follow one out of the
 * block, never take more than the queue holds, and be able to answer whatever it has taken. */
#include "shm/uplink_take.h"

#include <stdlib.h>

static struct uplink_block block;
static struct uplink_take take;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first 16 bytes become tail and head, small enough to meet now and then; the rest entries, then bytes. */
static void spoil(const uint8_t *data, size_t size) {
    uint64_t words[2] = {0, 0};
    size_t rest = size > sizeof(words) ? size - sizeof(words) : 0;
    size_t entries = rest < sizeof(block.entries) ? rest : sizeof(block.entries);

    memcpy(words, data, size < sizeof(words) ? size : sizeof(words));
    store_relaxed(&block.tail, words[0]);
    store_relaxed(&block.head_at, words[1]);
    memset(block.entries, 0, sizeof(block.entries));
    if (entries > 0) {
        memcpy((void *)block.entries, data + sizeof(words), entries);
    }
}

static unsigned sum(struct span span) {
    unsigned total = 0;

    for (size_t i = 0; i < span.length; i++) {
        total += (unsigned char)span.data[i];
    }
    return total;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    unsigned seen = 0;
    struct uplink_taken taken;
    enum uplink_result result;
    unsigned turns = 0;

    spoil(data, size);
    uplink_take_init(&take, &block);
    while ((result = uplink_take_peek(&take, &taken)) != UPLINK_NOTHING) {
        if (++turns > UPLINK_ENTRIES + 1) {
            abort(); /* more than there are */
        }
        if (result == UPLINK_BAD) {
            continue;
        }
        if (taken.key.data < block.data ||
            taken.value.data + taken.value.length > block.data + UPLINK_DATA_BYTES) {
            abort();
        }
        seen += sum(taken.key) + (taken.value.length < 256 ? sum(taken.value) : 0);
        uplink_take_next(&take);
        if (turns % 2 == 0) {
            uplink_take_answer(&take, taken.place, &(struct uplink_answer){.error = -EIO});
        }
    }
    /* used, so that the bytes are read */
    return seen == UINT32_MAX ? -1 : 0;
}
