#include "shm/uplink_put.h"

static bool left_sound(const struct uplink_put *put);
static void adopt(struct uplink_put *put);
static bool find_space(const struct uplink_put *put, size_t length, uint64_t *at);
static void fill(struct uplink_put *put, const struct uplink_item *item, uint64_t at, uint64_t id);
static bool take_answer(struct uplink_put *put, uint64_t number, struct uplink_answer *out);
static void move_head(struct uplink_put *put);

static struct uplink_entry *entry_at(struct uplink_block *block, uint64_t number) {
    return &block->entries[number % UPLINK_ENTRIES];
}

void uplink_put_init(struct uplink_put *put, struct uplink_block *block, uint64_t first_id) {
    *put = (struct uplink_put){.block = block,
                               .head = load_relaxed(&block->head_at),
                               .tail = load_relaxed(&block->tail),
                               .data_head = load_relaxed(&block->data_head),
                               .data_tail = load_relaxed(&block->data_tail)};
    if (!left_sound(put))
        put->head = put->tail;
    if (put->head == put->tail) /* nothing is left; what a kill left half handed in is none */
        put->data_head = put->data_tail;
    adopt(put);
    put->first = put->tail;
    put->id_base = first_id - put->tail;
}

int uplink_put_add(struct uplink_put *put, const struct uplink_item *item, uint64_t *number) {
    size_t length = item->key.length + item->value.length;
    uint64_t at;

    if (item->key.length == 0 || item->key.length > UPLINK_KEY_MAX_BYTES || item->value.length == 0)
        return -EINVAL;
    if (item->value.length > UPLINK_MAX_BYTES || length > UPLINK_MAX_BYTES)
        return -EMSGSIZE;
    if (put->tail - put->head >= UPLINK_ENTRIES || !find_space(put, length, &at))
        return -EAGAIN;

    uint64_t id = put->id_base + put->tail;
    fill(put, item, at, id);
    put->data_tail = at + length;
    put->pending[put->tail % UPLINK_ENTRIES].id = id;
    put->pending[put->tail % UPLINK_ENTRIES].data_end = put->data_tail;
    put->pending[put->tail % UPLINK_ENTRIES].answered = false;
    *number = put->tail++;
    store_relaxed(&put->block->data_tail, put->data_tail);
    /* uplink_put_add:A pairs with uplink_take_peek:A: the entry and its bytes are there first. */
    store_release(&put->block->tail, put->tail);
    return 0;
}

bool uplink_put_must_wake(struct uplink_put *put) {
    /* uplink_put_must_wake:A pairs with uplink_take_sleep:A: `tail` was stored before, the flag is read after. */
    fence_full();
    return load_acquire(&put->block->sleeping) != 0 && exchange_full(&put->block->sleeping, 0) != 0;
}

bool uplink_put_answered(const struct uplink_put *put) {
    return load_acquire(&put->block->answers) != put->answers;
}

void uplink_put_answers(struct uplink_put *put, uplink_put_visit *visit, void *context) {
    if (!uplink_put_answered(put))
        return;

    uint64_t tail = put->tail;
    put->answers = load_acquire(&put->block->answers);
    for (uint64_t number = put->head; number < tail; number++) {
        struct uplink_answer answer;
        if (take_answer(put, number, &answer) && number >= put->first)
            visit(context, number, &answer);
    }
    move_head(put);
}

static bool left_sound(const struct uplink_put *put) {
    return put->head <= put->tail && put->tail - put->head <= UPLINK_ENTRIES &&
           put->data_head <= put->data_tail && put->data_tail - put->data_head <= UPLINK_DATA_BYTES;
}

/* A predecessor's entries keep their place until they are answered; their bytes are free with the last of them. */
static void adopt(struct uplink_put *put) {
    for (uint64_t number = put->head; number < put->tail; number++) {
        bool last = number + 1 == put->tail;
        put->pending[number % UPLINK_ENTRIES].id = entry_at(put->block, number)->id;
        put->pending[number % UPLINK_ENTRIES].data_end = last ? put->data_tail : put->data_head;
    }
}

/* In one piece: what is left at the ring's end is passed over when it is too short. */
static bool find_space(const struct uplink_put *put, size_t length, uint64_t *at) {
    uint64_t from = put->data_tail, place = from % UPLINK_DATA_BYTES;

    if (place + length > UPLINK_DATA_BYTES)
        from += UPLINK_DATA_BYTES - place;
    if (from + length - put->data_head > UPLINK_DATA_BYTES)
        return false;
    *at = from;
    return true;
}

static void fill(struct uplink_put *put, const struct uplink_item *item, uint64_t at, uint64_t id) {
    struct uplink_entry *entry = entry_at(put->block, put->tail);
    char *data = put->block->data + at % UPLINK_DATA_BYTES;
    const struct uplink_entry filled = {.id = id,
                                        .at = at,
                                        .key_length = (uint32_t)item->key.length,
                                        .value_length = (uint32_t)item->value.length,
                                        .sender = item->sender,
                                        .expiry_ms = item->expiry_ms,
                                        .deadline_ns = item->deadline_ns,
                                        .target = item->target,
                                        .flags = item->flags,
                                        .once = *item->once};

    memcpy(data, item->key.data, item->key.length);
    memcpy(data + item->key.length, item->value.data, item->value.length);
    /* fill:A pairs with uplink_take_peek:B: that `head` has passed the place is stored before its bytes change. */
    fence_release();
    order_copy_in(entry, &filled, offsetof(struct uplink_entry, answered));
}

static bool take_answer(struct uplink_put *put, uint64_t number, struct uplink_answer *out) {
    struct uplink_entry *entry = entry_at(put->block, number);

    if (put->pending[number % UPLINK_ENTRIES].answered)
        return false;
    /* take_answer:A pairs with uplink_take_answer:A: the outcome was there first. The id is the one kept here: what is
     * left of an earlier entry in this place is no answer. */
    if (load_acquire(&entry->answered) != put->pending[number % UPLINK_ENTRIES].id)
        return false;
    put->pending[number % UPLINK_ENTRIES].answered = true;
    out->error = -(int)load_relaxed(&entry->error);
    out->partition = (int32_t)load_relaxed(&entry->partition);
    out->offset = (int64_t)load_relaxed(&entry->offset);
    if (out->error > 0 || (out->error == 0 && (out->partition < 0 || out->offset < 0)))
        out->error = -EPROTO;
    return true;
}

static void move_head(struct uplink_put *put) {
    while (put->head < put->tail && put->pending[put->head % UPLINK_ENTRIES].answered) {
        put->data_head = put->pending[put->head % UPLINK_ENTRIES].data_end;
        put->pending[put->head % UPLINK_ENTRIES].answered = false;
        put->head++;
    }
    store_relaxed(&put->block->data_head, put->data_head);
    store_release(&put->block->head_at, put->head);
}
