#include "gateway/connection/conn_judge.h"

#include "gateway/access/revocation.h"
#include "gateway/access/token_verify.h"
#include "gateway/connection/conn_poll.h"
#include "gateway/connection/conn_table.h"
#include "gateway/connection/conn_timers.h"
#include "gateway/http/head_gate.h"

#include <stdlib.h>

#define BACKSTOP_MS 2000 /* behind the check's own deadline */

struct note {
    struct worker *worker;
    uint32_t conn_index;
    uint64_t conn_id;
    struct conn_opening opening;
    size_t rest_length;
    char rest[]; /* what came behind the head */
};

static struct note *note_new(struct worker *worker, const struct conn *conn,
                             const struct conn_opening *opening, struct span rest);
static bool wait(struct worker *worker, struct conn *conn);
static void refuse(struct worker *worker, struct conn *conn, enum error_code code);
static void on_answer(void *context, const struct identity *identity, enum error_code code);
static void settle(const struct note *note, struct conn *conn, const struct identity *identity,
                   enum error_code code);

void conn_judge_begin(struct worker *worker, struct conn *conn,
                      const struct middleware_handshake *handshake,
                      const struct conn_opening *opening, struct span rest) {
    struct note *note = note_new(worker, conn, opening, rest);

    if (note == NULL || middleware_ask(handshake, on_answer, note) != 0) {
        free(note);
        refuse(worker, conn, ERROR_AUTH_UNAVAILABLE);
    } else if (!wait(worker, conn)) {
        conn_kill(worker, conn); /* the answer will find nobody */
    }
}

void conn_judge_timeout(struct worker *worker, struct conn *conn) {
    refuse(worker, conn, ERROR_AUTH_UNAVAILABLE);
}

static struct note *note_new(struct worker *worker, const struct conn *conn,
                             const struct conn_opening *opening, struct span rest) {
    struct note *note = malloc(sizeof(*note) + rest.length);

    if (note != NULL) {
        note->worker = worker;
        note->conn_index = conn->self;
        note->conn_id = conn->id;
        note->opening = *opening;
        note->rest_length = rest.length;
        memcpy(note->rest, rest.data, rest.length);
    }
    return note;
}

/* Only its end is of interest now. */
static bool wait(struct worker *worker, struct conn *conn) {
    head_gate_free(conn->input);
    conn->input = NULL;
    conn->flags &= (uint16_t)~CONN_INPUT_IS_HEAD;
    conn_set_state(worker, conn, CONN_JUDGING);
    conn_timers_set_deadline(worker, conn,
                             TOKEN_VERIFY_HOLD_MS +
                                 (uint64_t)worker->options->auth_service_timeout + BACKSTOP_MS);
    return conn_poll_wait_end(worker, conn) == 0;
}

static void refuse(struct worker *worker, struct conn *conn, enum error_code code) {
    const struct middleware_refusal refusal = middleware_token_refusal(code);

    stats_add(worker->stats, STAT_REFUSED_TOKEN, 1);
    conn_answer_refusal(worker, conn, &refusal);
}

static void on_answer(void *context, const struct identity *identity, enum error_code code) {
    struct note *note = context;
    struct conn *conn = conn_at(note->worker, note->conn_index);

    if (conn->state == CONN_JUDGING && conn->id == note->conn_id) {
        if (conn_poll_wait_readable(note->worker, conn) == 0) {
            settle(note, conn, identity, code);
        } else {
            conn_kill(note->worker, conn);
        }
    }
    free(note);
}

static void settle(const struct note *note, struct conn *conn, const struct identity *identity,
                   enum error_code code) {
    static const struct middleware_refusal draining = {
        .status = 503, .reason = "The server is draining", .retry_after_s = 5};
    struct worker *worker = note->worker;

    if (worker->draining) {
        conn_answer_refusal(worker, conn, &draining);
        return;
    }
    if (identity != NULL) {
        code = revocation_check(worker, identity);
    } else if (code == ERROR_CODE_COUNT) {
        code = ERROR_AUTH_UNAVAILABLE; /* no answer: the worker has reloaded, or stops */
    }
    if (code != ERROR_CODE_COUNT) {
        refuse(worker, conn, code);
    } else {
        conn_answer_upgrade(worker, conn, &note->opening, identity,
                            (struct span){note->rest, note->rest_length});
    }
}
