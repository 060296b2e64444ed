#include "shm/uplink_take.h"

static bool sound(const struct uplink_entry *entry);
static void expose(const struct uplink_take *take, const struct uplink_entry *entry,
                   struct uplink_taken *out);
static void follow_head(struct uplink_take *take, uint64_t head, uint64_t tail);
static bool is_passed(const struct uplink_take *take);
static bool is_next(const struct uplink_take *take, uint64_t tail);

void uplink_take_init(struct uplink_take *take, struct uplink_block *block) {
    memset(take, 0, sizeof(*take));
    take->block = block;
    take->taken = load_acquire(&block->head_at);
    take->inherited = load_acquire(&block->tail);
    /* A predecessor may have been killed between an answer and uplink_take_answer:B. */
    store_release(&block->answers, load_relaxed(&block->answers) + 1);
}

enum uplink_result uplink_take_peek(struct uplink_take *take, struct uplink_taken *out) {
    uint64_t head = load_acquire(&take->block->head_at);
    /* uplink_take_peek:A pairs with uplink_put_add:A: what lies before `tail` is filled in. */
    uint64_t tail = load_acquire(&take->block->tail);
    struct uplink_entry entry;

    follow_head(take, head, tail);
    if (tail - take->taken > UPLINK_ENTRIES) {
        if (load_relaxed(&take->block->head_at) != head) /* it went on between the two looks */
            return UPLINK_NOTHING;
        take->taken = tail; /* no worker moves so far: also backwards */
        return UPLINK_BAD;
    }
    while (is_next(take, tail)) {
        const struct uplink_entry *shared = &take->block->entries[take->taken % UPLINK_ENTRIES];
        order_copy_out(&entry, shared, offsetof(struct uplink_entry, answered));
        /* uplink_take_peek:B pairs with fill:A (uplink_put.c): what was copied is the entry, or it is seen here that
         * the worker fills its place anew. */
        fence_acquire();
        /* A predecessor has answered it, and the worker has moved on meanwhile or not yet. */
        if (is_passed(take) || (entry.id != 0 && load_acquire(&shared->answered) == entry.id)) {
            take->taken++;
            continue;
        }
        take->id = entry.id;
        out->place = (unsigned)(take->taken % UPLINK_ENTRIES);
        if (!sound(&entry)) {
            uplink_take_next(take);
            uplink_take_answer(take, out->place, &(struct uplink_answer){.error = -EPROTO});
            return UPLINK_BAD;
        }
        expose(take, &entry, out);
        return UPLINK_ENTRY;
    }
    return UPLINK_NOTHING;
}

void uplink_take_next(struct uplink_take *take) {
    take->under_way[take->taken % UPLINK_ENTRIES] = take->id;
    take->taken++;
}

void uplink_take_answer(struct uplink_take *take, unsigned place,
                        const struct uplink_answer *answer) {
    struct uplink_block *block = take->block;
    struct uplink_entry *entry = &block->entries[place];
    uint64_t id = take->under_way[place];

    if (id == 0)
        return;
    take->under_way[place] = 0;
    store_relaxed(&entry->error, (uint32_t)-answer->error);
    store_relaxed(&entry->partition, (uint32_t)answer->partition);
    store_relaxed(&entry->offset, (uint64_t)answer->offset);
    /* uplink_take_answer:A pairs with take_answer:A (uplink_put.c): the outcome first, then that it is one. */
    store_release(&entry->answered, id);
    /* uplink_take_answer:B pairs with uplink_put_answered: who sees the count sees the answer. */
    store_release(&block->answers, load_relaxed(&block->answers) + 1);
}

bool uplink_take_sleep(struct uplink_take *take, bool blocked) {
    if (blocked)
        return true; /* what ends that rings another bell */
    store_release(&take->block->sleeping, 1);
    fence_full(); /* uplink_take_sleep:A pairs with uplink_put_must_wake:A */
    if (!is_next(take, load_acquire(&take->block->tail)))
        return true;
    store_relaxed(&take->block->sleeping, 0);
    return false;
}

/* Over what a predecessor has answered the worker moves at its own time, also while this one still stands before it. */
static void follow_head(struct uplink_take *take, uint64_t head, uint64_t tail) {
    if (head - take->taken <= UPLINK_ENTRIES && tail - head <= INT64_MAX)
        take->taken = head;
}

static bool is_passed(const struct uplink_take *take) {
    return load_relaxed(&take->block->head_at) - take->taken - 1 < UPLINK_ENTRIES;
}

/* At most one entry under way in each place, whatever the worker says: the answer of one is never another's. */
static bool is_next(const struct uplink_take *take, uint64_t tail) {
    return take->taken != tail && take->under_way[take->taken % UPLINK_ENTRIES] == 0;
}

/* Id 0 stands for none, so that a worker can't have given it. */
static bool sound(const struct uplink_entry *entry) {
    if (entry->key_length == 0 || entry->key_length > UPLINK_KEY_MAX_BYTES ||
        entry->value_length == 0 || entry->value_length > UPLINK_MAX_BYTES)
        return false;
    return entry->id != 0 && entry->target < UPLINK_TARGET_COUNT &&
           (entry->flags & ~(uint32_t)UPLINK_FLAGS) == 0 && entry->expiry_ms >= 0 &&
           entry->at % UPLINK_DATA_BYTES + entry->key_length + entry->value_length <=
               UPLINK_DATA_BYTES;
}

static void expose(const struct uplink_take *take, const struct uplink_entry *entry,
                   struct uplink_taken *out) {
    const char *data = take->block->data + entry->at % UPLINK_DATA_BYTES;

    out->target = (enum uplink_target)entry->target;
    out->key = (struct span){data, entry->key_length};
    out->value = (struct span){data + entry->key_length, entry->value_length};
    out->sender = entry->sender;
    out->expiry_ms = entry->expiry_ms;
    out->deadline_ns = entry->deadline_ns;
    out->ephemeral = (entry->flags & UPLINK_EPHEMERAL) != 0;
    out->at_once = (entry->flags & UPLINK_AT_ONCE) != 0;
    out->again = (int64_t)(take->taken - take->inherited) < 0;
    out->once = entry->once;
}
