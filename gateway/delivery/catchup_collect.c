#include "gateway/delivery/catchup_collect.h"

#include "common/clock.h"
#include "gateway/connection/conn_table.h"
#include "gateway/delivery/fanout.h"
#include "shm/positions.h"
#include "shm/room_walk.h"
#include "shm/snapshot_table.h"

#include <stdlib.h>

/* Sorted as one number: what a resume asked for first, each part in the order of the ring. */
#define LATER        (1ull << 63)
#define MAX_HOPS     (CATCHUP_MAX_MISSED * 8ull) /* of rooms that share a bucket */
#define PERSONAL_ALL (~(1u << ROOM_PLAIN))

struct found {
    uint64_t key; /* position, and LATER */
    int64_t offset;
    uint32_t partition;
};

struct collection {
    struct worker *worker;
    const struct catchup_stretch *stretch;
    int64_t now_ms;
    uint32_t count;
    uint64_t hops;
    uint64_t conflated;
    int error;
};

/* One worker, one thread, no call nests. */
static struct found found[CATCHUP_MAX_MISSED];

static void walk_user(struct collection *collection, const struct conn *conn);
static void walk_room(void *context, struct span name);
static void walk_both(struct collection *collection, struct span key, unsigned kinds);
static void walk(struct collection *collection, struct span key, unsigned kinds,
                 enum room_chain chain);
static void take(struct collection *collection, const struct room_hit *hit);
static bool wanted(const struct collection *collection, const struct room_hit *hit, uint64_t *key);
static int compare(const void *a, const void *b);
static uint32_t drop_doubles(uint32_t count);
static bool offsets_rise(uint32_t count);
static int list_of(const struct collection *collection, uint32_t count, struct catchup_list *out);

int catchup_collect(struct worker *worker, const struct conn *conn,
                    const struct catchup_stretch *stretch, struct catchup_list *out) {
    struct collection collection = {
        .worker = worker, .stretch = stretch, .now_ms = clock_wall_ms()};
    *out = (struct catchup_list){0};
    if (stretch->from >= stretch->to) {
        return 0;
    }
    if (room_walk_indexed(&worker->view.segment) < stretch->to) {
        return -EAGAIN;
    }
    walk_user(&collection, conn);
    room_each(&worker->fanout->rooms, conn, walk_room, &collection);
    out->cost = collection.hops;
    out->conflated = collection.conflated;
    if (collection.error != 0 || collection.count == 0) {
        return collection.error;
    }
    qsort(found, collection.count, sizeof found[0], compare);
    uint32_t count = drop_doubles(collection.count);
    if (stretch->wants != NULL && !offsets_rise(count)) {
        return -EILSEQ;
    }
    return list_of(&collection, count, out);
}

bool catchup_spares(struct worker *worker, const struct catchup_value *value) {
    const struct segment *segment = &worker->view.segment;
    if (!(value->flags & RECORD_FLAG_CONFLATED) ||
        !snapshot_table_superseded(segment, value->snapshot_slot, value->position)) {
        return false;
    }
    uint32_t topic = value->partition < POSITIONS_MAX_PARTITIONS
                         ? segment->positions->partitions[value->partition].topic
                         : POSITIONS_MAX_TOPICS;
    if (topic < POSITIONS_MAX_TOPICS) {
        shm_u64 *count = &worker->block->conflated[topic];
        store_relaxed(count, load_relaxed(count) + 1);
    }
    return true;
}

/* The user's personal rooms are one chain. */
static void walk_user(struct collection *collection, const struct conn *conn) {
    unsigned kinds = (unsigned)conn->personal << 1;
    if (conn->user != 0 && kinds != 0) {
        walk_both(collection, user_id(&collection->worker->fanout->users, conn->user),
                  kinds & PERSONAL_ALL);
    }
}

static void walk_room(void *context, struct span name) {
    walk_both(context, name, 1u << ROOM_PLAIN);
}

static void walk_both(struct collection *collection, struct span key, unsigned kinds) {
    walk(collection, key, kinds, ROOM_CHAIN_EVENTS);
    walk(collection, key, kinds, ROOM_CHAIN_VALUES);
}

static void walk(struct collection *collection, struct span key, unsigned kinds,
                 enum room_chain chain) {
    const struct segment *segment = &collection->worker->view.segment;
    struct room_walk walk;
    struct room_hit hit;
    int result = ROOM_WALK_HIT;
    if (collection->error != 0) {
        return;
    }
    room_walk_start(&walk, segment, room_name_hash(&segment->header->hash_key, key), key, kinds,
                    chain);
    while (result == ROOM_WALK_HIT && collection->error == 0) {
        result = room_walk_next(&walk, collection->stretch->from, &hit);
        if (result == ROOM_WALK_HIT) {
            take(collection, &hit);
        }
        if (walk.hops > MAX_HOPS) {
            collection->error = -E2BIG;
        }
    }
    collection->hops += walk.hops;
    if (result == ROOM_WALK_LAPPED) {
        collection->error = -ESTALE;
    } else if (result < 0) {
        collection->error = result;
    }
}

static void take(struct collection *collection, const struct room_hit *hit) {
    uint64_t key;
    if (!wanted(collection, hit, &key)) {
        return;
    }
    uint32_t whole_most = collection->stretch->whole_most;
    struct catchup_value value = {hit->position, hit->partition, hit->snapshot_slot, hit->flags};
    if (whole_most == 0 && catchup_spares(collection->worker, &value)) {
        collection->conflated++; /* of a record in several of its rooms once for each */
        return;
    }
    if (collection->count == (whole_most != 0 ? whole_most : CATCHUP_MAX_MISSED)) {
        collection->error = -E2BIG;
        return;
    }
    found[collection->count++] = (struct found){key, hit->offset, hit->partition};
}

static bool wanted(const struct collection *collection, const struct room_hit *hit, uint64_t *key) {
    const struct catchup_stretch *stretch = collection->stretch;
    bool resume = stretch->wants != NULL;
    if (hit->position >= stretch->to ||
        (hit->expiry_ms != 0 && hit->expiry_ms <= collection->now_ms)) {
        return false;
    }
    uint64_t want = resume && hit->partition < POSITIONS_MAX_PARTITIONS
                        ? stretch->wants[hit->partition]
                        : POSITION_UNKNOWN;
    *key = hit->position;
    if (want != POSITION_UNKNOWN) {
        return !(hit->flags & RECORD_FLAG_EPHEMERAL) && hit->kind != RECORD_CONTROL &&
               (uint64_t)hit->offset >= want;
    }
    *key |= resume ? LATER : 0;
    return hit->kind == RECORD_EVENT && (!resume || hit->position >= stretch->live_from);
}

static int compare(const void *a, const void *b) {
    uint64_t left = ((const struct found *)a)->key, right = ((const struct found *)b)->key;
    return left < right ? -1 : left > right;
}

/* A record in several of the rooms was found once in each. */
static uint32_t drop_doubles(uint32_t count) {
    uint32_t kept = 1;
    for (uint32_t i = 1; i < count; i++) {
        if (found[i].key != found[kept - 1].key) {
            found[kept++] = found[i];
        }
    }
    return kept;
}

static bool offsets_rise(uint32_t count) {
    static int64_t last[POSITIONS_MAX_PARTITIONS];
    for (uint32_t i = 0; i < count; i++) {
        if (found[i].partition < POSITIONS_MAX_PARTITIONS) {
            last[found[i].partition] = -1;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t partition = found[i].partition;
        if (partition < POSITIONS_MAX_PARTITIONS) {
            if (found[i].offset <= last[partition]) {
                return false;
            }
            last[partition] = found[i].offset;
        }
    }
    return true;
}

static int list_of(const struct collection *collection, uint32_t count, struct catchup_list *out) {
    uint64_t *positions = malloc(count * sizeof *positions);
    if (positions == NULL) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        out->missed += (found[i].key & LATER) == 0;
        positions[i] = found[i].key & ~LATER;
    }
    if (collection->stretch->wants == NULL) {
        out->missed = 0;
    }
    out->positions = positions;
    out->count = count;
    return 0;
}
