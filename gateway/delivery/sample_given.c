#include "gateway/delivery/sample_given.h"

#include "gateway/connection/conn_table.h"
#include "gateway/delivery/catchup.h"
#include "gateway/delivery/fanout.h"

#include <stdlib.h>

struct sample_given_note {
    uint64_t conn_id;
    uint64_t from, to; /* positions in the ring; `to` never falls from note to note */
    uint64_t room_hash;
    uint32_t conn;
    uint32_t room_kind; /* ROOM_KIND_COUNT: all its rooms */
};

static void note(struct worker *worker, const struct conn *conn, uint64_t from, uint64_t hash,
                 enum room_kind kind);
static bool concerns(const struct sample_given_note *note, const struct record *record);
static void leave_out(struct worker *worker, struct conn *conn);

void sample_given_done(struct sample_given *given) {
    free(given->notes);
    *given = (struct sample_given){0};
}

void sample_given_room(struct worker *worker, const struct conn *conn, uint64_t hash,
                       enum room_kind kind) {
    note(worker, conn, 0, hash, kind);
}

void sample_given_since(struct worker *worker, const struct conn *conn, uint64_t from) {
    note(worker, conn, from, 0, ROOM_KIND_COUNT);
}

void sample_given_leave_out(struct worker *worker, const struct record *record, uint64_t position) {
    const struct sample_given *given = &worker->fanout->given;
    uint64_t oldest = given->count > SAMPLE_GIVEN_MOST ? given->count - SAMPLE_GIVEN_MOST : 0;
    for (uint64_t n = given->count; n > oldest; n--) {
        const struct sample_given_note *at = &given->notes[(n - 1) % SAMPLE_GIVEN_MOST];
        if (at->to <= position) {
            return;
        }
        struct conn *conn = at->from <= position && concerns(at, record)
                                ? conn_find(worker, at->conn, at->conn_id)
                                : NULL;
        if (conn != NULL && fanout_hears(worker, conn, record)) {
            leave_out(worker, conn);
        }
    }
}

/* Without memory nothing is noted. */
static void note(struct worker *worker, const struct conn *conn, uint64_t from, uint64_t hash,
                 enum room_kind kind) {
    struct sample_given *given = &worker->fanout->given;
    if (!sample_waits(worker)) {
        return;
    }
    if (given->notes == NULL) {
        given->notes = calloc(SAMPLE_GIVEN_MOST, sizeof *given->notes);
    }
    if (given->notes != NULL) {
        given->notes[given->count++ % SAMPLE_GIVEN_MOST] =
            (struct sample_given_note){.conn_id = conn->id,
                                       .from = from,
                                       .to = worker->reader.cursor,
                                       .room_hash = hash,
                                       .conn = conn->self,
                                       .room_kind = kind};
    }
}

static bool concerns(const struct sample_given_note *note, const struct record *record) {
    if (note->room_kind == ROOM_KIND_COUNT) {
        return true;
    }
    for (unsigned i = 0; i < record->room_count; i++) {
        if (record->rooms[i].hash == note->room_hash && record->rooms[i].kind == note->room_kind) {
            return true;
        }
    }
    return false;
}

static void leave_out(struct worker *worker, struct conn *conn) {
    if (conn->state == CONN_LIVE) {
        conn->stamp = worker->fanout->stamp;
    } else if (conn->state == CONN_CATCHING) {
        catchup_has_late(worker, conn);
    }
}
