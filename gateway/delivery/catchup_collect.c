#include "gateway/delivery/catchup_collect.h"

#include "common/clock.h"
#include "gateway/connection/conn_table.h"
#include "gateway/delivery/fanout.h"
#include "gateway/delivery/passed_over.h"
#include "gateway/delivery/snapshot_mirror.h"
#include "shm/positions.h"
#include "shm/room_walk.h"
#include "shm/snapshot_table.h"

#include <stdlib.h>

/* Sorted as one number: what a resume asked for first, each part in the order of the ring. */
#define LATER        (1ull << 63)
#define MAX_HOPS     (CATCHUP_MAX_MISSED * 2ull) /* those not asked for, or of other rooms, too */
#define FEW_VALUES   512u /* are walked, some 0.05 ms, however few keys they are of */
#define NOT_WHOLE    UINT64_MAX
#define PERSONAL_ALL (~(1u << ROOM_PLAIN))

struct found {
    uint64_t key; /* position, and LATER */
    int64_t offset;
    uint32_t partition;
    uint32_t snapshot_slot; /* of a value of a conflated route; else 0 */
    bool value;             /* of a conflated route that is not sampled */
};

struct collection {
    struct worker *worker;
    const struct catchup_stretch *stretch;
    int64_t now_ms;
    uint32_t count;
    uint64_t hops;
    uint64_t conflated; /* seen, and spared */
    bool from_mirror;   /* some were not seen */
    uint32_t mirrored;  /* their partition */
    int error;
};

/* One worker, one thread, no call nests. */
static struct found found[CATCHUP_MAX_MISSED];

static void walk_user(struct collection *collection, const struct conn *conn);
static void walk_room(void *context, struct span name);
static void find_in(struct collection *collection, struct span key, unsigned kinds);
static void find_values(struct collection *collection, struct room_walk *walk);
static int walk_on(struct collection *collection, struct room_walk *walk, uint64_t most);
static void walk_end(struct collection *collection, const struct room_walk *walk, int result);
static uint64_t count_keys(struct collection *collection, const struct room_walk *walk);
static void take_keys(struct collection *collection, const struct room_walk *walk);
static void take_key(struct collection *collection, uint32_t slot);
static void take(struct collection *collection, const struct room_hit *hit);
static bool wanted(const struct collection *collection, const struct room_hit *hit, uint64_t *key);
static int compare(const void *a, const void *b);
static uint32_t drop_doubles(uint32_t count);
static void count_unseen(struct collection *collection, uint32_t count);
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
    if (collection.error != 0) {
        return collection.error;
    }
    qsort(found, collection.count, sizeof found[0], compare);
    uint32_t count = drop_doubles(collection.count);
    count_unseen(&collection, count);
    out->conflated = collection.conflated;
    if (count == 0) {
        return 0;
    }
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
    catchup_spared(worker, value->partition, value->sampled);
    return true;
}

void catchup_spared(struct worker *worker, uint32_t partition, bool sampled) {
    if (!sampled) {
        passed_over_count(worker, partition, PASSED_OVER_CONFLATED, 1);
    }
}

/* The user's personal rooms are one chain. */
static void walk_user(struct collection *collection, const struct conn *conn) {
    unsigned kinds = (unsigned)conn->personal << 1;
    if (conn->user != 0 && kinds != 0) {
        find_in(collection, user_id(&collection->worker->fanout->users, conn->user),
                kinds & PERSONAL_ALL);
    }
}

static void walk_room(void *context, struct span name) {
    find_in(context, name, 1u << ROOM_PLAIN);
}

static void find_in(struct collection *collection, struct span key, unsigned kinds) {
    const struct segment *segment = &collection->worker->view.segment;
    uint64_t hash = room_name_hash(&segment->header->hash_key, key);
    struct room_walk walk;
    if (collection->error == 0) {
        room_walk_start(&walk, segment, hash, key, kinds, ROOM_CHAIN_EVENTS);
        walk_end(collection, &walk, walk_on(collection, &walk, MAX_HOPS));
    }
    if (collection->error == 0) {
        room_walk_start(&walk, segment, hash, key, kinds, ROOM_CHAIN_VALUES);
        find_values(collection, &walk);
    }
}

/* By whichever is less, all values since then or the room's keys. */
static void find_values(struct collection *collection, struct room_walk *walk) {
    uint32_t before = collection->count;
    bool whole = collection->stretch->whole_most != 0;
    int result = walk_on(collection, walk, whole ? MAX_HOPS : FEW_VALUES);
    if (!whole && (result == ROOM_WALK_PAUSED || result == ROOM_WALK_LAPPED)) {
        uint64_t keys = count_keys(collection, walk);
        if (result == ROOM_WALK_PAUSED && keys > FEW_VALUES) {
            result = walk_on(collection, walk, keys < MAX_HOPS ? keys : MAX_HOPS);
        }
        if (keys != NOT_WHOLE && (result == ROOM_WALK_PAUSED || result == ROOM_WALK_LAPPED)) {
            collection->count = before;
            collection->hops += keys;
            take_keys(collection, walk);
            result = ROOM_WALK_END;
        }
    }
    walk_end(collection, walk, result);
}

static int walk_on(struct collection *collection, struct room_walk *walk, uint64_t most) {
    int result = ROOM_WALK_HIT;
    struct room_hit hit;
    walk->most = most;
    while (result == ROOM_WALK_HIT && collection->error == 0) {
        result = room_walk_next(walk, collection->stretch->from, &hit);
        if (result == ROOM_WALK_HIT) {
            take(collection, &hit);
        }
    }
    return result;
}

static void walk_end(struct collection *collection, const struct room_walk *walk, int result) {
    collection->hops += walk->hops;
    if (collection->error != 0) {
        return;
    }
    if (result == ROOM_WALK_PAUSED) {
        collection->error = -E2BIG;
    } else if (result == ROOM_WALK_LAPPED) {
        collection->error = -ESTALE;
    } else if (result < 0) {
        collection->error = result;
    }
}

/* One of the walk's rooms, which differ in their kind; NULL: none of its keys is in the mirror. */
static struct snapshot_room *mirrored_room(const struct collection *collection,
                                           const struct room_walk *walk, unsigned kind) {
    return walk->kinds & 1u << kind ? snapshot_room_find(collection->worker->fanout->snapshots,
                                                         walk->hash, kind, walk->key)
                                    : NULL;
}

/* NOT_WHOLE: the mirror does not have all that have come in this stretch. */
static uint64_t count_keys(struct collection *collection, const struct room_walk *walk) {
    struct worker *worker = collection->worker;
    uint64_t keys = 0;
    if (!snapshot_mirror_follow(worker) ||
        !snapshot_table_whole_since(&worker->view.segment, collection->stretch->from)) {
        return NOT_WHOLE;
    }
    for (unsigned kind = 0; kind < ROOM_KIND_COUNT; kind++) {
        const struct snapshot_room *room = mirrored_room(collection, walk, kind);
        keys += room != NULL ? room->count : 0;
    }
    return keys;
}

static void take_keys(struct collection *collection, const struct room_walk *walk) {
    for (unsigned kind = 0; kind < ROOM_KIND_COUNT; kind++) {
        const struct snapshot_room *room = mirrored_room(collection, walk, kind);
        for (uint32_t i = 0; room != NULL && i < room->count && collection->error == 0; i++) {
            take_key(collection, room->slots[i]);
        }
    }
}

/* Its newest value that this worker has read lies in the ring, where it came. */
static void take_key(struct collection *collection, uint32_t slot) {
    const struct snapshot_mirror *mirror = &collection->worker->fanout->snapshots->mirrors[slot];
    const struct record *head = mirror->head;
    struct room_hit hit = {
        .position = mirror->position,
        .length = head->length,
        .partition = head->partition,
        .offset = head->offset,
        .expiry_ms = head->expiry_ms,
        .kind = head->kind,
        .flags = head->flags,
        .sample_ms = head->sample_ms,
        .snapshot_slot = slot + 1,
    };
    if (!(hit.flags & RECORD_FLAG_CONFLATED)) {
        return; /* its route is lossless: it is in the other chain, as all of them */
    }
    collection->from_mirror = true;
    collection->mirrored = hit.sample_ms == 0 ? hit.partition : collection->mirrored;
    if (hit.position >= collection->stretch->from) {
        take(collection, &hit);
    }
}

static void take(struct collection *collection, const struct room_hit *hit) {
    uint64_t key;
    if (!wanted(collection, hit, &key)) {
        return;
    }
    if (hit->expiry_ms != 0 && hit->expiry_ms <= collection->now_ms) {
        /* once more, if the worker itself was too late for it */
        passed_over_count(collection->worker, hit->partition, PASSED_OVER_OUTDATED, 1);
        return;
    }
    uint32_t whole_most = collection->stretch->whole_most;
    struct catchup_value value = {hit->position, hit->partition, hit->snapshot_slot, hit->flags,
                                  hit->sample_ms != 0};
    if ((whole_most == 0 || value.sampled) && catchup_spares(collection->worker, &value)) {
        collection->conflated += !value.sampled; /* of a record in several rooms once for each */
        return;
    }
    if (collection->count == (whole_most != 0 ? whole_most : CATCHUP_MAX_MISSED)) {
        collection->error = -E2BIG;
        return;
    }
    bool conflated = hit->flags & RECORD_FLAG_CONFLATED;
    found[collection->count++] = (struct found){.key = key,
                                                .offset = hit->offset,
                                                .partition = hit->partition,
                                                .snapshot_slot = conflated ? hit->snapshot_slot : 0,
                                                .value = conflated && !value.sampled};
}

static bool wanted(const struct collection *collection, const struct room_hit *hit, uint64_t *key) {
    const struct catchup_stretch *stretch = collection->stretch;
    bool resume = stretch->wants != NULL;
    if (hit->position >= stretch->to) {
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
    uint32_t kept = count > 0;
    for (uint32_t i = 1; i < count; i++) {
        if (found[i].key != found[kept - 1].key) {
            found[kept++] = found[i];
        }
    }
    return kept;
}

/* Those that have passed by and that are not in the list, less those that were seen to be spared. */
static void count_unseen(struct collection *collection, uint32_t count) {
    uint64_t told = collection->conflated, passed = collection->stretch->passed;
    for (uint32_t i = 0; i < count; i++) {
        told += found[i].value;
    }
    if (collection->from_mirror && passed > told) {
        passed_over_count(collection->worker, collection->mirrored, PASSED_OVER_CONFLATED,
                          passed - told);
        collection->conflated += passed - told;
    }
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
    struct catchup_missed *entries = malloc(count * sizeof *entries);
    if (entries == NULL) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        out->missed += (found[i].key & LATER) == 0;
        entries[i] = (struct catchup_missed){found[i].key & ~LATER, found[i].snapshot_slot};
    }
    if (collection->stretch->wants == NULL) {
        out->missed = 0;
    }
    out->entries = entries;
    out->count = count;
    return 0;
}
