#include "ingest/history_refill.h"

#include "common/log.h"

#include <stdlib.h>

/* A quarter stays for what comes live while the rest is read, and for the error of the projection. */
#define RING_SHARE(capacity) ((capacity) / 4 * 3)
#define SAMPLE(capacity)     ((capacity) / 32)
#define NO_CAP               UINT64_MAX

static uint64_t average_of(const struct history_share *shares, unsigned count);
static double projected(const struct history_share *share, uint64_t average);
static bool is_refilling(const struct kafka_partition *partition);
static struct history_share share_of(const struct kafka_partition *partition);
static unsigned collect(struct kafka_assign *assign, struct history_share *shares);
static uint64_t shorten(struct kafka_assign *assign, uint64_t cap, uint64_t average);
static void tell(struct history_refill *refill, uint64_t skipped);

uint64_t history_refill_cap(const struct history_share *shares, unsigned count, uint64_t room,
                            uint64_t sample) {
    uint64_t average = average_of(shares, count), bytes = 0;
    double cap = 0, last = -1, left = 0;

    for (unsigned i = 0; i < count; i++) {
        bytes += shares[i].bytes;
        left += projected(&shares[i], average);
    }
    if (average == 0 || bytes < sample || left <= (double)room) {
        return NO_CAP;
    }
    /* Those below an even share leave what they don't need to the others, until nobody is below any more. */
    while (cap > last) {
        double rest = (double)room;
        unsigned above = 0;
        last = cap;
        for (unsigned i = 0; i < count; i++) {
            double size = projected(&shares[i], average);
            above += size > cap ? 1 : 0;
            rest -= size > cap ? 0 : size;
        }
        cap = above > 0 ? rest / above : cap;
    }
    return (uint64_t)cap;
}

uint64_t history_refill_keep(const struct history_share *share, uint64_t cap, uint64_t average) {
    double size = projected(share, average);

    return size <= (double)cap ? share->remaining
                               : (uint64_t)((double)share->remaining * ((double)cap / size));
}

void history_refill_init(struct history_refill *refill, struct kafka_assign *assign,
                         const struct segment *segment) {
    *refill = (struct history_refill){.assign = assign, .segment = segment};
}

void history_refill_tick(struct history_refill *refill) {
    uint64_t capacity = refill->segment->header->ring_capacity;
    uint64_t used = load_relaxed(&refill->segment->words->published);
    struct history_share *shares;

    if (used < SAMPLE(capacity)) {
        return;
    }
    shares = calloc(POSITIONS_MAX_PARTITIONS, sizeof(*shares));
    if (shares != NULL) {
        unsigned count = collect(refill->assign, shares);
        uint64_t room = used < RING_SHARE(capacity) ? RING_SHARE(capacity) - used : 0;
        uint64_t cap = history_refill_cap(shares, count, room, SAMPLE(capacity));
        if (cap != NO_CAP) {
            tell(refill, shorten(refill->assign, cap, average_of(shares, count)));
        }
    }
    free(shares);
}

/* Ring bytes of a record; 0: none has been read. */
static uint64_t average_of(const struct history_share *shares, unsigned count) {
    uint64_t bytes = 0, records = 0;

    for (unsigned i = 0; i < count; i++) {
        bytes += shares[i].bytes;
        records += shares[i].records;
    }
    return records > 0 ? bytes / records : 0;
}

static double projected(const struct history_share *share, uint64_t average) {
    uint64_t size = share->records > 0 ? share->bytes / share->records : average;

    return (double)share->remaining * (double)size;
}

static bool is_refilling(const struct kafka_partition *partition) {
    return partition->state == KAFKA_PARTITION_ASSIGNED && !partition->rechecking &&
           partition->next < load_relaxed(&partition->position->live_from);
}

static struct history_share share_of(const struct kafka_partition *partition) {
    return (struct history_share){.remaining = is_refilling(partition)
                                                   ? load_relaxed(&partition->position->live_from) -
                                                         partition->next
                                                   : 0,
                                  .bytes = partition->history_bytes,
                                  .records = partition->history_records};
}

/* Those that are through tell how large records are. */
static unsigned collect(struct kafka_assign *assign, struct history_share *shares) {
    struct kafka_topics_walk walk = {0};
    unsigned count = 0;

    while (count < POSITIONS_MAX_PARTITIONS && kafka_topics_next(assign->topics, &walk)) {
        if (walk.at->position != NULL) {
            shares[count++] = share_of(walk.at);
        }
    }
    return count;
}

/* How many records are left out. */
static uint64_t shorten(struct kafka_assign *assign, uint64_t cap, uint64_t average) {
    struct kafka_topics_walk walk = {0};
    uint64_t skipped = 0;

    while (kafka_topics_next(assign->topics, &walk)) {
        if (walk.at->position != NULL && is_refilling(walk.at)) {
            struct history_share share = share_of(walk.at);
            uint64_t left_out = share.remaining - history_refill_keep(&share, cap, average);
            if (left_out > 0) {
                kafka_assign_skip_to(assign, walk.at_topic, walk.at_number,
                                     walk.at->next + left_out);
                skipped += left_out;
            }
        }
    }
    return skipped;
}

static void tell(struct history_refill *refill, uint64_t skipped) {
    stats_add(refill->assign->stats, STAT_HISTORY_SKIPPED, skipped);
    if (!refill->told && skipped > 0) {
        refill->told = true;
        log_warn("history: the last HISTORY_SECONDS do not fit into RING_BYTES: the oldest of the "
                 "loudest topics is left out (moonx_history_skipped_total)");
    }
}
