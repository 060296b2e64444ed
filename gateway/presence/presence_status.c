#include "gateway/presence/presence_status.h"

#include "common/clock.h"
#include "common/room_name.h"
#include "gateway/uplink.h"

#define HASH_NONFATAL_OOM 1
#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

#define LIFETIME_MS 5000
#define VALUE_BYTES (3 * ROOM_NAME_MAX_BYTES + 128)

/* Somebody who may come back: in the order in which they went. */
struct leaver {
    UT_hash_handle hh;
    uint64_t due_ms;
    char user[];
};

struct presence_status {
    struct worker *worker;
    presence_status_look *is_gone;
    const void *context;
    struct leaver *leaving;
    uint64_t second; /* the one in which `told` are */
    unsigned told;
};

int presence_status_new(struct worker *worker, presence_status_look *is_gone, const void *context,
                        struct presence_status **out) {
    struct presence_status *status = calloc(1, sizeof(*status));

    if (status == NULL) {
        return -ENOMEM;
    }
    status->worker = worker;
    status->is_gone = is_gone;
    status->context = context;
    *out = status;
    return 0;
}

static void forget(struct presence_status *status, struct leaver *leaver) {
    HASH_DEL(status->leaving, leaver);
    free(leaver);
}

void presence_status_free(struct presence_status *status) {
    if (status == NULL) {
        return;
    }
    while (status->leaving != NULL) {
        forget(status, status->leaving);
    }
    free(status);
}

static bool may_tell(struct presence_status *status) {
    uint64_t second = clock_mono_ms() / 1000;

    if (second != status->second) {
        status->second = second;
        status->told = 0;
    }
    return status->told < PRESENCE_STATUS_A_SECOND;
}

/* Where hosts share nothing but Kafka, the others' listeners are told by their own hosts. (Interest alone tells little:
 * many rooms share a bucket.) */
static bool heard(const struct worker *worker, struct span room) {
    const struct host_view *view = &worker->view;
    unsigned bucket = worker_interest_bucket(room_name_hash(&view->segment.header->hash_key, room));

    if (worker->redis != NULL) {
        return true;
    }
    for (unsigned i = 0; i < view->worker_count; i++) {
        const struct worker_block *block = view->workers[i];
        if (block != NULL && load_relaxed(&block->presence_rooms) > 0 &&
            (load_relaxed(&block->interest[bucket / 64]) >> bucket % 64 & 1)) {
            return true;
        }
    }
    return false;
}

/* A user's id is made of characters that need no escape (access/identity.h). */
static int publish(struct worker *worker, struct span user, bool online) {
    char value[VALUE_BYTES], room[ROOM_NAME_MAX_BYTES + 1];
    int room_length = snprintf(room, sizeof(room), ROOM_PRESENCE SPAN_FORMAT, SPAN_ARGS(user));
    int length = snprintf(value, sizeof(value),
                          "{\"type\":\"user_status_changed\",\"room\":\"%s\",\"data\":"
                          "{\"userId\":\"" SPAN_FORMAT "\",\"status\":\"%s\"}}",
                          room, SPAN_ARGS(user), online ? "online" : "offline");

    if (room_length >= (int)sizeof(room) || length >= (int)sizeof(value)) {
        return -EMSGSIZE;
    }
    if (!heard(worker, (struct span){room, (size_t)room_length})) {
        return 0;
    }
    const struct uplink_message message = {
        .target = UPLINK_EVENTS,
        .key = {room, (size_t)room_length},
        .value = {value, (size_t)length},
        .expiry_ms = (int64_t)clock_wall_ms() + LIFETIME_MS,
        .ephemeral = true,
    };
    return uplink_send(worker, &message, NULL, NULL);
}

void presence_status_tell(struct presence_status *status, struct span user, bool online) {
    bool told = may_tell(status) && publish(status->worker, user, online) == 0;

    status->told += told;
    stats_add(status->worker->stats, told ? STAT_PRESENCE_TOLD : STAT_PRESENCE_UNTOLD, 1);
}

static struct leaver *add_leaver(struct presence_status *status, struct span user) {
    struct leaver *leaver = HASH_COUNT(status->leaving) < PRESENCE_STATUS_LEAVING_MAX
                                ? malloc(sizeof(*leaver) + user.length)
                                : NULL;

    if (leaver == NULL) {
        return NULL;
    }
    memset(leaver, 0, sizeof(*leaver));
    memcpy(leaver->user, user.data, user.length);
    HASH_ADD_KEYPTR(hh, status->leaving, leaver->user, user.length, leaver);
    if (leaver->hh.tbl == NULL) {
        free(leaver);
        return NULL;
    }
    return leaver;
}

void presence_status_went(struct presence_status *status, struct span user) {
    struct leaver *leaver;

    HASH_FIND(hh, status->leaving, user.data, user.length, leaver);
    if (leaver != NULL) {
        return; /* he has come back and gone again: what counts is found out when it is due */
    }
    leaver = add_leaver(status, user);
    if (leaver == NULL) {
        presence_status_tell(status, user, false);
    } else {
        leaver->due_ms = clock_mono_ms() + (uint64_t)status->worker->options->presence_grace;
    }
}

void presence_status_tick(struct presence_status *status, uint64_t now_ms) {
    /* what is freed is out of the table: NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
    while (status->leaving != NULL && status->leaving->due_ms <= now_ms) {
        struct leaver *leaver = status->leaving;
        struct span user = {leaver->user, leaver->hh.keylen};

        if (status->is_gone(status->context, user)) {
            presence_status_tell(status, user, false);
        }
        forget(status, leaver);
    }
}
